"""The pages of matching at their edges: no page falls over, nobody without the right decides."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from cdp import pipeline
from cdp.admin.charts import levels, spread, waterfall
from cdp.domain.matching.weights import Part
from cdp.models import Label, Match, Source
from tests.cdp.planted import ALICE, adopt, weights
from tests.conftest import Sent, external, identify

QUEUE = "/admin/cdp/match/review/"


@pytest.fixture
def waits(store: Source, send: Sent) -> Match:
    adopt()
    script = {**ALICE, "street": "9 Far Rd", "email": "<b>bold</b>@x"}
    send(store, identify("m1", 1, traits=ALICE, context=external(loyalty_card="L1")))
    send(store, identify("m2", 2, traits=script))
    while pipeline.process_events() + pipeline.match_records():
        pass
    return Match.objects.get()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/cdp/matcher/999/adopt/", 404), ("/admin/cdp/matcher/abc/adopt/", 404),
        (f"{QUEUE}?skip=²", 200), (f"{QUEUE}?skip=,,x,{'9' * 40}", 200), (QUEUE, 200),
        ("/admin/cdp/match/check/", 200),
    ],
)  # fmt: skip
def test_odd_addresses(admin_client: Client, path: str, status: int) -> None:
    assert admin_client.get(path).status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize(
    "form",
    [{}, {"said": "same"}, {"said": "same", "match": "x"}, {"said": "same", "match": "99"}, {"said": "undo"},
     {"said": "same", "match": "{waits}", "reason": "a\x00"}, {"said": "same", "match": "{waits}"}],
)  # fmt: skip
def test_forms_that_decide_nothing(
    admin_client: Client, waits: Match, form: dict[str, str]
) -> None:
    sent = {name: value.replace("{waits}", str(waits.pk)) for name, value in form.items()}
    assert admin_client.post(QUEUE, sent).status_code == 302
    assert not Label.objects.exists()


@pytest.mark.django_db
def test_what_people_wrote_is_text(admin_client: Client, waits: Match) -> None:
    page = admin_client.get(QUEUE).content.decode()
    assert "Their weight alone is not enough" in page
    assert "&lt;b&gt;bold&lt;/b&gt;@x" in page and "<b>bold" not in page


@pytest.mark.django_db
def test_who_may_only_look_does_not_decide(
    client: Client, waits: Match, django_user_model: object
) -> None:
    looker = django_user_model.objects.create_user("looker", password="x", is_staff=True)  # type: ignore[attr-defined]
    looker.user_permissions.set(
        Permission.objects.filter(codename__in=["view_match", "view_matcher"])
    )
    client.force_login(looker)
    assert client.get("/admin/cdp/match/").status_code == 200
    for answer in (
        client.get(QUEUE),
        client.post(QUEUE, {"said": "same", "match": waits.pk, "reason": "x"}),
    ):
        assert answer.status_code in (302, 403)
    assert not Label.objects.exists()


def test_a_waterfall_adds_up() -> None:
    parts = [Part("prior", "any two records", -12.0), Part("names", "both the same", 9.0, 4.0)]
    picture = str(waterfall(parts, 10.0, 4.0))
    assert 'aria-label="waterfall of 1.0 bits"' in picture
    assert picture.count("<rect") == 3 and "+13.0" in picture and "-12.0" in picture


def test_levels_go_from_alike_to_different() -> None:
    picture = str(levels(weights()))
    places = [
        picture.index(f"birth_date: {name}<")
        for name in ("the same", "one slip", "the year", "different")
    ]
    assert places == sorted(places)


def test_a_spread_counts_every_pair() -> None:
    assert 'aria-label="weights of 12 pairs"' in str(spread({"-3": 7, "11": 5}, 10.0, 4.0))
    assert str(spread({}, 10.0, 4.0)) == "–"


def test_the_review_page_needs_no_other_server() -> None:
    page = Path("cdp/templates/admin/cdp/review.html").read_text()
    assert "http" not in page
