"""What operators scrape."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api import ops
from cdp import pipeline
from cdp.models import Source
from tests.conftest import Sent, identify

pytestmark = pytest.mark.django_db(transaction=True)


def test_identity_is_measured_once_a_minute_however_often_it_is_asked(
    client: Client, web: Source, send: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "_measured_at", -ops.EVERY_SECONDS)
    send(web, identify("m1", userId="alice", anonymousId="ck"))
    pipeline.process_events()
    first = client.get("/metrics").content.decode()
    assert 'unison_identity{what="customers"} 1.0' in first
    assert 'unison_identity{what="largest_customer"} 2.0' in first
    with CaptureQueriesContext(connection) as asked:
        client.get("/metrics")
    assert not [q for q in asked if "cdp_identifier" in q["sql"] or "cdp_link" in q["sql"]]
