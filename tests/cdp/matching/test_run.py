"""From records in the store to a matcher that joins them: the real Splink, the command, the worker."""

from __future__ import annotations

import importlib.util
import io
import json

import pytest
from django.core.management import CommandError, call_command

from cdp import changing, pipeline
from cdp.errors import CDPError
from cdp.matching.run import train_matcher
from cdp.models import Match, Matcher, Source
from cdp.selectors.stats import identity_stats
from tests.cdp.planted import customers
from tests.conftest import Sent, external, identify
from workers.learning import train_matcher as scheduled

GIVEN = ["ann", "ben", "cleo", "dan", "eva", "finn", "gwen", "hugo", "iris", "jon", "kim", "lars"]
SURNAMES = [
    "adams",
    "baker",
    "clark",
    "davis",
    "evans",
    "fisher",
    "gray",
    "hill",
    "irving",
    "jones",
]
PEOPLE = 120


def quiet(line: str) -> None:
    """No progress."""


@pytest.fixture
def town(store: Source, send: Sent) -> None:
    """Everybody came to the till twice: once with a card, once without and with a slip of the pen."""
    for n in range(PEOPLE):
        given, surname = GIVEN[n % 12], SURNAMES[(n // 12) % 10] + "xyz"[n % 3]
        traits = {
            "firstName": given, "lastName": surname, "street": f"{n + 1} {SURNAMES[n % 7]} street",
            "birthday": f"{1950 + n % 50}-0{1 + n % 9}-{10 + n % 18}",
        }  # fmt: skip
        slip = (
            {"lastName": surname[:-2] + surname[-1]}
            if n % 3
            else {"street": f"{n + 1} {SURNAMES[n % 7]} st"}
        )
        send(
            store,
            identify(f"a{n}", 1, traits=traits, context=external(loyalty_card=f"L{n}")),
            identify(f"b{n}", 2, traits={**traits, **slip}),
        )
    while pipeline.process_events():
        pass


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("identity", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.django_db
def test_a_trained_matcher_joins_the_town(town: None) -> None:
    assert len(customers()) == 2 * PEOPLE
    out = said("train")
    made = Matcher.objects.get()
    assert f"next: manage.py identity adopt {made.pk}" in out
    assert (made.status, made.records, made.backend) == ("candidate", 2 * PEOPLE, "duckdb")
    foretold = json.loads(said("adopt", str(made.pk), "--simulate", "--json"))
    assert not Match.objects.exists()
    out = said("adopt", str(made.pk), "--merge", "8")
    assert f"matcher {made.pk} is active" in out
    assert foretold["merged"] <= len(customers()) == PEOPLE
    for members in customers().values():
        assert len(members) == 3 and sum(name.startswith("loyalty_card:") for name in members) == 1
    assert f"{made.pk} active" in " ".join(said("matchers").split())
    stats = identity_stats()
    assert (stats["records"], stats["unmatched_records"]) == (2 * PEOPLE, 0)
    assert sum(n for n, _ in changing.check_identity(lambda name, count: None).values()) == 0


@pytest.mark.django_db
def test_the_schedule_keeps_a_candidate_and_adopts_nothing(town: None) -> None:
    number = scheduled()
    assert Matcher.objects.get().pk == number
    assert Matcher.objects.get().status == "candidate" and len(customers()) == 2 * PEOPLE


@pytest.mark.django_db
def test_too_few_records_are_said(store: Source) -> None:
    with pytest.raises(CommandError, match="0 records; 30 are needed"):
        call_command("identity", "train")
    assert scheduled() is None and not Matcher.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adopt", "77"], "there is no matcher 77"),
        (["train", "--merge", "3", "--review", "4"], "review_at must not be above merge_at"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("identity", *arguments, stderr=io.StringIO())


@pytest.mark.django_db
def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(CDPError) as caught:
        train_matcher("test", quiet, backend="abacus")
    assert caught.value.code == "bad_backend"


@pytest.mark.django_db
def test_spark_without_pyspark_is_said() -> None:
    if importlib.util.find_spec("pyspark") is not None:
        pytest.skip("skipped: pyspark is installed here, so it cannot be missing")
    with pytest.raises(CDPError) as caught:
        train_matcher("test", quiet, backend="spark")
    assert caught.value.code == "spark_missing" and "install pyspark" in caught.value.message
