"""Splink by itself on the same records: its stock comparisons, broad blocking rules, its predict,
and connected components, as its own documentation goes about it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Record = Mapping[str, str | None]
LEAST_WEIGHT = -10.0
MOST_PAIRS = 3e6


def run(records: Sequence[Record], kinds: Mapping[str, str]) -> list[tuple[float, int, int]]:
    """Every pair that Splink scores above a very low weight: (match weight, a, b)."""
    import pandas as pd
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    frame = pd.DataFrame({"unique_id": range(len(records))}).assign(
        **{name: [record.get(name) for record in records] for name in kinds}
    )
    given, surname = (_first(kinds, kind) for kind in ("given_name", "surname"))
    if given and surname:
        frame["names"] = frame[given] + " " + frame[surname]
    for name in frame.columns[1:]:
        frame[name] = frame[name].astype("object").where(frame[name].notna(), None)
    rules = [rule for rule in _blocking(kinds) if 0 < _pairs(records, rule) <= MOST_PAIRS]
    api = DuckDBAPI()
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=_comparisons(kinds, given, surname),
        blocking_rules_to_generate_predictions=[block_on(*_sql(rule)) for rule in rules],
        retain_matching_columns=False,
    )
    linker = Linker(api.register(frame), settings, log_level=logging.ERROR)
    exact = [rule for rule in rules if not any(cut for _, cut in rule)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _attempt(lambda: linker.training.estimate_probability_two_random_records_match(
            [block_on(*_sql(rule)) for rule in exact if len(rule) > 1][:4] or [block_on(*_sql(rules[0]))], recall=0.7
        ))  # fmt: skip
        linker.training.estimate_u_using_random_sampling(
            max_pairs=2e6, seed=7, min_count_per_level=None
        )
        for names in _teaching(records, kinds):
            _attempt(
                lambda names=names: (
                    linker.training.estimate_parameters_using_expectation_maximisation(
                        block_on(*names)
                    )
                )
            )
        found = linker.inference.predict(threshold_match_weight=LEAST_WEIGHT)
    table = found.as_pandas_dataframe()
    return list(zip(
        table["match_weight"].tolist(), table["unique_id_l"].tolist(), table["unique_id_r"].tolist(),
        strict=True,
    ))  # fmt: skip


def _attempt(call: Any) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - small or odd files cannot teach everything
        print(f"  splink: {str(error).splitlines()[0][:120]}")


def _first(kinds: Mapping[str, str], kind: str) -> str | None:
    return next((name for name, found in kinds.items() if found == kind), None)


def _comparisons(kinds: Mapping[str, str], given: str | None, surname: str | None) -> list[Any]:
    import splink.comparison_library as cl

    made: list[Any] = []
    if given and surname:
        made.append(
            cl.ForenameSurnameComparison(given, surname, forename_surname_concat_col_name="names")
        )
    for name, kind in kinds.items():
        if given and surname and name in (given, surname):
            continue
        if kind in ("given_name", "surname", "full_name"):
            made.append(cl.NameComparison(name))
        elif kind == "birth_date":
            made.append(
                cl.DamerauLevenshteinAtThresholds(name, [1, 2]).configure(
                    term_frequency_adjustments=True
                )
            )
        elif kind == "postcode":
            made.append(
                cl.LevenshteinAtThresholds(name, [1, 2]).configure(term_frequency_adjustments=True)
            )
        elif kind == "email":
            made.append(cl.EmailComparison(name))
        elif kind in ("phone", "national_id"):
            made.append(cl.DamerauLevenshteinAtThresholds(name, [1, 2]))
        elif kind == "street":
            made.append(
                cl.JaroWinklerAtThresholds(name, [0.95, 0.88]).configure(
                    term_frequency_adjustments=True
                )
            )
        else:
            made.append(cl.ExactMatch(name).configure(term_frequency_adjustments=True))
    return made  # fmt: skip


Rule = tuple[tuple[str, int], ...]


def _blocking(kinds: Mapping[str, str]) -> list[Rule]:
    """(column, first letters: 0 for all) to agree on; every two fields, whole and cut short."""
    cuts = {
        "given_name": 3,
        "surname": 4,
        "full_name": 5,
        "postcode": 3,
        "birth_date": 4,
        "street": 6,
    }
    rules: list[Rule] = [
        ((name, 0),) for name, kind in kinds.items()
        if kind in ("email", "phone", "national_id", "full_name", "street")
    ]  # fmt: skip
    for one, two in combinations(kinds, 2):
        rules.append(((one, 0), (two, 0)))
        a, b = cuts.get(kinds[one], 0), cuts.get(kinds[two], 0)
        if a or b:
            rules.append(((one, a), (two, b)))
    return rules


def _sql(rule: Rule) -> list[str]:
    return [f'substr("{name}", 1, {cut})' if cut else name for name, cut in rule]


def _pairs(records: Sequence[Record], rule: Rule) -> int:
    from collections import Counter

    seen: Counter[tuple[str, ...]] = Counter()
    for record in records:
        values = [record.get(name) for name, _ in rule]
        if all(values):
            seen[
                tuple((v or "")[: cut or None] for v, (_, cut) in zip(values, rule, strict=True))
            ] += 1
    return sum(n * (n - 1) // 2 for n in seen.values())


def _teaching(records: Sequence[Record], kinds: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Two or three sessions without a field in common, on rules that give enough pairs."""
    used: set[str] = set()
    found: list[tuple[str, ...]] = []
    for names in [(n,) for n in kinds] + list(combinations(kinds, 2)):
        rule: Rule = tuple((name, 0) for name in names)
        if 20 <= _pairs(records, rule) <= MOST_PAIRS and not used & set(names) and len(found) < 3:
            found.append(names)
            used |= set(names)
    return found
