"""What became of slates, and drift, from planted events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from cdp import pipeline
from cdp.models import Artifact, ArtifactStatus, Exposure, Identifier, Snapshot, Source
from cdp.selectors.learning import Outcome, health, outcomes
from tests.conftest import NOON, Sent, track

pytestmark = pytest.mark.django_db(transaction=True)


def seen(message_id: str, user: str, sku: str, minutes: int, event: str = "Product Viewed") -> Any:
    """Minutes after noon, which is when slates are shown."""
    day = 24 * 60  # the cast acts on the day before
    return track(message_id, event, day + minutes, userId=user, properties={"sku": sku, "price": 1})


@pytest.fixture
def serving(db: None) -> Artifact:
    snapshot = Snapshot.objects.create(path="", checksum="", customers=0, products=0, interactions=0, created_at=NOON)  # fmt: skip
    return Artifact.objects.create(
        snapshot=snapshot, model="fusion", parameters={}, metrics={}, device="cpu", seconds=0,
        status=ArtifactStatus.SERVING, served_from=NOON,
    )  # fmt: skip


def shown(
    serving: Artifact, user: str, minutes: int, *skus: str, channel: str = "web", **more: Any
) -> None:
    Exposure.objects.create(
        kind="slate", channel=channel, identifier=Identifier.objects.get(value=user),
        occurred_at=NOON + timedelta(minutes=minutes),
        detail={"items": list(skus), "artifact": serving.pk, **more},
    )  # fmt: skip


def test_a_look_and_a_purchase_after_the_slate_count_and_nothing_else(
    serving: Artifact, web: Source, send: Sent
) -> None:
    day = 24 * 60
    send(
        web,
        seen("a1", "alice", "tea", 5), seen("a2", "alice", "tea", 3 * day, "Order Completed"),
        seen("b1", "bob", "tea", -5),  # before it was shown
        seen("c1", "carl", "pot", 5),  # was not on the slate
        seen("d1", "dora", "tea", 2 * day),  # too late for a look
        minutes=4 * day,
    )  # fmt: skip
    pipeline.process_events()
    for user in ("alice", "bob", "carl", "dora"):
        shown(serving, user, 0, "tea", "tent")
    shown(serving, "alice", 1, "tent", channel="app")
    found = outcomes(NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert found == [
        Outcome(serving.pk, "app", 1, 0, 0), Outcome(serving.pk, "web", 4, 1, 1)
    ]  # fmt: skip


def test_what_was_explored_is_counted_apart(serving: Artifact, web: Source, send: Sent) -> None:
    send(
        web, seen("a1", "alice", "tent", 5), seen("b1", "bob", "tea", 5), seen("c1", "carl", "tent", 9),
        minutes=4 * 24 * 60,
    )  # fmt: skip
    pipeline.process_events()
    for user in ("alice", "bob"):
        shown(serving, user, 0, "tea", "tent", explored=["tent"])
    shown(serving, "carl", 0, "tea", "tent")
    found = outcomes(NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert found == [Outcome(serving.pk, "web", 3, 3, 0, explored=2, found=1)]


def test_drift_is_seen_in_what_comes_in(serving: Artifact, web: Source, send: Sent) -> None:
    """Before, everybody looked; after, everybody buys, on the same channel."""
    before = [seen(f"b{n}", f"u{n}", "tea", -60) for n in range(120)]
    after = [seen(f"a{n}", f"u{n}", "tea", 60, "Order Completed") for n in range(120)]
    send(web, *before, minutes=-30)
    send(web, *after, minutes=90)
    while pipeline.process_events():
        pass
    found = health(NOON + timedelta(hours=3)).drift
    assert found["channel"] == 0.0 and found["verb"] is not None and found["verb"] > 1
    assert found["score"] is None  # no slates at all


def test_the_figures_are_shown_and_scraped(
    serving: Artifact,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from api import ops

    call_command("learning")
    assert "drift since it was learned" in capsys.readouterr().out
    with pytest.raises(CommandError, match="--days"):
        call_command("learning", days=0)
    monkeypatch.setattr(ops, "_learning_at", -ops.LEARNING_SECONDS)
    assert "unison_serving_learned_seconds" in client.get("/metrics").content.decode()
