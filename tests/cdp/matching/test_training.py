"""Weights trained by Splink, and our scorer beside Splink's own scores."""

from __future__ import annotations

import random
from itertools import combinations
from math import log2
from typing import Any

import pytest

from cdp.domain.matching.fields import cleaned, derived
from cdp.errors import CDPError
from cdp.matching.training import Training, train

KINDS = {
    "first": "given_name", "last": "surname", "born": "birth_date", "zip": "postcode", "town": "city"
}  # fmt: skip
FIRST = [
    "ann",
    "bob",
    "carl",
    "dana",
    "eve",
    "fred",
    "gina",
    "hugo",
    "ida",
    "jack",
    "kate",
    "liam",
    "mona",
    "nils",
    "olga",
    "paul",
]
LAST = [
    "adams",
    "baker",
    "clark",
    "davis",
    "evans",
    "frank",
    "green",
    "hill",
    "irwin",
    "jones",
    "klein",
    "lopez",
    "meyer",
    "novak",
]
TOWNS = ["seattle", "tacoma", "spokane", "everett", "yakima"]


def people(count: int = 400) -> list[tuple[int, dict[str, str | None]]]:
    """Each person twice, the second time with a slip or a field that is missing."""
    dice = random.Random(3)
    found = []
    for person in range(count):
        record: dict[str, str | None] = {
            "first": dice.choice(FIRST), "last": dice.choice(LAST), "town": dice.choice(TOWNS),
            "born": f"{dice.randrange(1940, 2004)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}",
            "zip": str(98000 + dice.randrange(300)),
        }  # fmt: skip
        other = dict(record)
        slip = dice.choice(["first", "last", "born", "zip", "town", "none"])
        if slip != "none":
            value = other[slip] or ""
            other[slip] = None if dice.random() < 0.3 else value[:-1] + dice.choice("xyz19")
        found += [(person, record), (person, other)]
    return [(n, {k: cleaned(KINDS[k], v) for k, v in r.items()}) for n, r in found]


@pytest.fixture(scope="module")
def trained() -> Training:
    return train([record for _, record in people()], KINDS, lambda line: None)


def test_the_same_person_weighs_more_than_two_people(trained: Training) -> None:
    """Every person's own second record comes first among all others."""
    rows = [(n, derived(record, KINDS)) for n, record in people()]
    wrong = 0
    for number, (person, record) in enumerate(rows[:200]):
        scores = [
            (trained.weights.weight(record, other), who)
            for place, (who, other) in enumerate(rows)
            if place != number
        ]
        wrong += max(scores)[1] != person
    assert wrong <= 2


def test_our_scorer_gives_the_weights_that_splink_gives(trained: Training) -> None:
    """Within a millionth of a bit, apart from the prior, on every pair that shares a town."""
    from splink import block_on

    rows = [derived(record, trained.weights.kinds) for _, record in people()]
    linker = trained.linker
    model: dict[str, Any] = linker.misc.save_model_to_json()
    prior = model["probability_two_random_records_match"]
    linker._settings_obj._blocking_rules_to_generate_predictions = [
        block_on("town").get_blocking_rule("duckdb")
    ]
    found = linker.inference.predict().as_pandas_dataframe()
    ours = log2(trained.weights.prior / (1 - trained.weights.prior))
    theirs = log2(prior / (1 - prior))
    assert len(found) == sum(
        rows[a]["town"] == rows[b]["town"] and rows[a]["town"] is not None
        for a, b in combinations(range(len(rows)), 2)
    )
    compared = found[found.match_weight > -35]  # below, our floor under m (1e-9) differs on purpose
    assert len(compared) > 400
    for row in compared.itertuples():
        a, b = rows[row.unique_id_l], rows[row.unique_id_r]
        reached = {f"{part.comparison}: {part.level}" for part in trained.weights.parts(a, b)}
        if reached & set(trained.untaught):  # Splink leaves these out, we use a careful default
            continue
        weight = trained.weights.weight(a, b)
        assert weight - ours == pytest.approx(row.match_weight - theirs, abs=1e-6)


def test_training_twice_gives_the_same_model(trained: Training) -> None:
    again = train([record for _, record in people()], KINDS, lambda line: None)
    assert again.weights.document() == trained.weights.document()


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([{"first": "ann"}] * 5, "too_few_records"),
        ([{"first": None, "last": "lee"}] * 50, "no_fields"),
    ],
)
def test_what_cannot_teach_is_said(records: list[dict[str, str | None]], code: str) -> None:
    with pytest.raises(CDPError) as error:
        train(records, KINDS, lambda line: None)
    assert error.value.code == code
