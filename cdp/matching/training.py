"""Train match weights with Splink (Fellegi-Sunter, EM), on DuckDB or on Spark.

Splink sees one table of cleaned records; our comparisons become its comparison levels, and what it
estimates comes back as ``Weights``. Levels that the data cannot teach (too few records) keep a
careful default, and the report names them.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink.internals.exceptions import SplinkException

from cdp.domain.matching.comparing import Comparison, Condition, Level, comparisons
from cdp.domain.matching.fields import derived, of_kind
from cdp.domain.matching.weights import ELSE, REST, Trained, Weights
from cdp.errors import CDPError

Say = Callable[[str], None]
Record = Mapping[str, str | None]
SEED = 7
U_PAIRS = 2e6
EM_PAIRS = 3e6
FEWEST = 30
RARE_ENOUGH = 2


@dataclass
class Training:
    """The weights, which levels kept a default, and Splink's own linker for its charts."""

    weights: Weights
    untaught: list[str] = field(default_factory=list)
    linker: Any = None


def train(
    records: Sequence[Record], kinds: Mapping[str, str], say: Say, backend: Any = None
) -> Training:
    """Estimate m, u and the prior from unlabelled cleaned records.

    Raises:
        CDPError: ``too_few_records``; ``no_fields`` when no field says anything.
    """
    if len(records) < FEWEST:
        raise CDPError("too_few_records", f"{len(records)} records; {FEWEST} are needed")
    kinds = _telling(records, kinds)
    if not kinds:
        raise CDPError("no_fields", "no field is filled and differs between records")
    full = [derived(record, kinds) for record in records]
    compared = comparisons(kinds)
    api = backend or DuckDBAPI()
    linker = Linker(_table(api, full), _settings(compared), log_level=logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        say("u: how often two people agree by chance")
        linker.training.estimate_u_using_random_sampling(
            max_pairs=U_PAIRS, seed=SEED, min_count_per_level=None
        )
        prior = _prior(full, kinds)
        for rule in _teaching(full, kinds):
            say(f"m: from pairs that agree on {' and '.join(rule)}")
            _expect(linker, rule, say)
    model = linker.misc.save_model_to_json()
    trained, untaught = _trained(compared, model)
    frequencies = _frequencies(full, compared)
    weights = Weights(kinds, prior, trained, frequencies)
    return Training(weights, untaught, linker)


def _telling(records: Sequence[Record], kinds: Mapping[str, str]) -> dict[str, str]:
    """Fields with at least two values, and not nearly always empty."""
    kept = {}
    for name, kind in kinds.items():
        values = {record.get(name) for record in records} - {None}
        if len(values) >= RARE_ENOUGH:
            kept[name] = kind
    return kept


def _table(api: Any, full: Sequence[Record]) -> Any:
    import pandas as pd

    names = list(dict.fromkeys(name for record in full for name in record))
    data: dict[str, Any] = {"unique_id": list(range(len(full)))}
    data |= {name: [record.get(name) for record in full] for name in names}
    frame = pd.DataFrame(data)
    for name in names:
        frame[name] = frame[name].astype("object").where(frame[name].notna(), None)
    return api.register(frame)


def _settings(compared: Sequence[Comparison]) -> SettingsCreator:
    return SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(one) for one in compared],
        blocking_rules_to_generate_predictions=[],
        em_convergence=0.001,
        max_iterations=30,
        retain_matching_columns=False,
    )


def _comparison(one: Comparison) -> Any:
    null = _both_missing(one.needs)
    levels = [null, *(_level(level) for level in one.levels), cll.ElseLevel()]
    return cl.CustomComparison(
        output_column_name=one.name, comparison_levels=levels, comparison_description=one.name
    )


def _both_missing(needs: Sequence[str]) -> Any:
    nulls = [cll.NullLevel(column) for column in needs]
    return nulls[0] if len(nulls) == 1 else cll.And(*nulls).configure(is_null_level=True)


def _level(level: Level) -> Any:
    parts = [_condition(condition) for condition in level.tests]
    made = parts[0] if len(parts) == 1 else cll.And(*parts)
    if level.rare is not None:
        return made.configure(label_for_charts=level.name, tf_adjustment_column=level.rare)
    return made.configure(label_for_charts=level.name)


def _condition(one: Condition) -> Any:
    if one.how == "equal":
        return cll.ExactMatchLevel(one.column)
    if one.how == "crossed":
        return cll.CustomLevel(f'"{one.column}_l" = "{one.other}_r"')
    if one.how == "jaro_winkler":
        return cll.JaroWinklerLevel(one.column, distance_threshold=one.limit)
    return cll.DamerauLevenshteinLevel(one.column, distance_threshold=int(one.limit))


def _teaching(full: Sequence[Record], kinds: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Pairs of fields to block the EM on: each session teaches the fields that it does not fix, so
    that two sessions without a field in common teach everything."""
    order = ("national_id", "email", "phone", "birth_date", "postcode", "street", "surname",
             "full_name", "given_name", "city", "other")  # fmt: skip
    names = [name for kind in order for name in of_kind(kinds, kind)]
    rules: list[tuple[str, ...]] = []
    used: set[str] = set()
    candidates: list[tuple[str, ...]] = [(name,) for name in names]
    candidates += [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]
    for rule in candidates:
        pairs = _pairs(full, rule)
        if 20 <= pairs <= EM_PAIRS and len(rules) < 4 and not used & set(rule):
            rules.append(rule)
            used |= set(rule)
    return rules


def _pairs(full: Sequence[Record], rule: Sequence[str]) -> int:
    seen = Counter(
        key for record in full if None not in (key := tuple(record.get(name) for name in rule))
    )
    return sum(n * (n - 1) // 2 for n in seen.values())


def _expect(linker: Any, rule: Sequence[str], say: Say) -> None:
    """One session of EM; one that Splink gives up leaves its levels to the others, or to defaults,
    which ``Training.untaught`` names."""
    before = deepcopy(linker._settings_obj)  # a session given up leaves comparisons out for good
    try:
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*rule), fix_probability_two_random_records_match=False
        )
    except (SplinkException, ValueError) as error:
        linker._settings_obj = before
        say(f"  Splink learned nothing there: {str(error).splitlines()[0]}")


def _prior(full: Sequence[Record], kinds: Mapping[str, str]) -> float:
    """The chance that two random records are one person, from pairs that agree so much that nearly
    all are right, taken as seven tenths of those that exist."""
    total = len(full) * (len(full) - 1) / 2
    strong = [
        (name,) for kind in ("national_id", "email", "phone") for name in of_kind(kinds, kind)
    ]
    people = of_kind(kinds, "surname") + of_kind(kinds, "full_name")
    others = [
        name
        for kind in ("birth_date", "postcode", "street", "given_name", "city")
        for name in of_kind(kinds, kind)
    ]
    sure = strong + [(a, b) for a in people for b in others]
    found: set[tuple[int, int]] = set()
    for rule in sure:
        found |= _pairs_of(full, rule)
    return min(0.5, max(1 / total, len(found) / 0.7 / total))


def _pairs_of(full: Sequence[Record], rule: Sequence[str], most: int = 30) -> set[tuple[int, int]]:
    blocks: dict[tuple[str | None, ...], list[int]] = {}
    for number, record in enumerate(full):
        key = tuple(record.get(name) for name in rule)
        if None not in key:
            blocks.setdefault(key, []).append(number)
    return {
        (a, b)
        for ids in blocks.values()
        if len(ids) <= most
        for n, a in enumerate(ids)
        for b in ids[n + 1 :]
    }


DEFAULT_M, DEFAULT_U = 0.02, 0.02


def _trained(
    compared: Sequence[Comparison], model: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Trained]], list[str]]:
    trained: dict[str, dict[str, Trained]] = {}
    untaught: list[str] = []
    by_name = {one["output_column_name"]: one for one in model["comparisons"]}
    for one in compared:
        levels = [
            level for level in by_name[one.name]["comparison_levels"]
            if not level.get("is_null_level")
        ]  # fmt: skip
        names = [level.name for level in one.levels] + [ELSE]
        found: dict[str, Trained] = {}
        for name, level in zip(names, levels, strict=True):
            m, u = level.get("m_probability"), level.get("u_probability")
            if m is None or u is None:
                untaught.append(f"{one.name}: {name}")
            found[name] = Trained(_rounded(m, DEFAULT_M), _rounded(u, DEFAULT_U))
        trained[one.name] = found
    return trained, untaught


def _rounded(value: float | None, default: float) -> float:
    """To nine digits: threads add up in any order, and the same records shall give one model."""
    return default if value is None else float(f"{value:.9g}")


def _frequencies(
    full: Sequence[Record], compared: Sequence[Comparison]
) -> dict[str, dict[str, float]]:
    columns = {level.rare for one in compared for level in one.levels if level.rare}
    found: dict[str, dict[str, float]] = {}
    for column in sorted(columns):
        counts = Counter(value for record in full if (value := record.get(column)) is not None)
        total = sum(counts.values())
        # A value of one record alone is not kept (it is somebody's own): it counts as one never seen.
        found[column] = {value: n / total for value, n in sorted(counts.items()) if n > 1}
        found[column][REST] = 1 / max(1, total)
    return found
