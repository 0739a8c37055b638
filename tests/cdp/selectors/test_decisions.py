"""The ledger of one customer."""

from __future__ import annotations

import pytest

from cdp import deciding, pipeline
from cdp.domain.identifiers import Key
from cdp.models import Identifier, Source, Verdict
from cdp.selectors.decisions import decisions_of
from tests.conftest import Sent, identify

pytestmark = pytest.mark.django_db(transaction=True)


def test_decisions_on_members_and_on_those_who_left_newest_first(web: Source, send: Sent) -> None:
    send(web, identify("m1", 1, userId="alice", anonymousId="ck"))
    send(web, identify("m2", 2, userId="bob"))
    pipeline.process_events()
    deciding.assert_link(Key("user_id", "alice"), Key("cookie", "ck"), Verdict.CANNOT_LINK, "ops", "x")  # fmt: skip
    stays, left = (Identifier.objects.get(value=value) for value in ("alice", "ck"))
    if stays.customer_id != stays.pk:
        stays, left = left, stays
    found = decisions_of(stays.customer_id or 0, 10)
    assert [(d.what, str(d.a), d.actor) for d in found if d.what == "split"] == [
        ("split", str(left), "ops")
    ]
    assert {d.what for d in found} == {"linked", "refused", "asserted", "split"}
    assert [d.pk for d in found] == sorted((d.pk for d in found), reverse=True)
    assert decisions_of(stays.customer_id or 0, 1) == found[:1]
