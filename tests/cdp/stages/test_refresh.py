"""Who acted gets a fresh slate, which is the one that a learning run would have written."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from scipy import sparse

from cdp import artifacts, deciding, outbox, pipeline
from cdp.domain.consistency import Shown
from cdp.domain.listing import Listing
from cdp.domain.mixing import Mixture
from cdp.domain.slates import Ranker
from cdp.domain.voices import Counts, Lists, Vectors
from cdp.errors import CDPError
from cdp.models import (
    Artifact,
    ArtifactStatus,
    Customer,
    CustomerVector,
    Identifier,
    OutboxMessage,
    Product,
    Slate,
    Snapshot,
    Source,
    Topic,
)
from cdp.selectors.alone import channels_alone
from cdp.selectors.exposures import Presented
from cdp.selectors.slates import serving_artifact, slates_of
from cdp.stages import publish
from cdp.stages.catalogue import write_products
from tests.conftest import NOON, Sent, identify, track

pytestmark = [pytest.mark.django_db(transaction=True)]
SKUS = ["tea", "pot", "cup", "tent"]
LEADS = np.array([[0, 3, 2, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]], dtype=np.float32)
ONE = np.ones(4, dtype=np.float32)
VOICE = Mixture({
    "lists": (1.0, Lists(sparse.csr_matrix(LEADS), ONE, ONE)),
    "words": (0.2, Vectors(np.eye(4, dtype=np.float32), ONE, ONE, unit=True, source="text")),
})  # fmt: skip


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS = tmp_path


def put_in_service(voice: Any = VOICE) -> Artifact:
    write_products([Listing(sku=sku, title=sku) for sku in SKUS], "test")
    snapshot = Snapshot.objects.create(
        path="", checksum="", customers=0, products=4, interactions=0,
        created_at=NOON - timedelta(hours=1),
    )  # fmt: skip
    row = Artifact.objects.create(
        snapshot=snapshot, model="fusion", parameters={}, metrics={}, device="cpu", seconds=0,
        status=ArtifactStatus.MEASURED,
    )  # fmt: skip
    row.path = str(artifacts.folder(row.pk))
    row.save()
    ranker = Ranker(SKUS, voice)
    artifacts.save(ranker, Path(row.path) / "serving.npz")
    publish.write_product_vectors(row.pk, ranker)
    publish.write_slates(row.pk, [(None, None, [{"sku": "tent", "score": 1.0, "reason": {}}])])
    publish.serve(row)
    return row


def viewed(message_id: str, sku: str, minutes: int = 0, user: str = "alice") -> dict[str, Any]:
    return track(message_id, "Product Viewed", minutes, userId=user, properties={"sku": sku})


def slate_of(user: str) -> list[str]:
    customer = Customer.objects.get(identifiers__value=user)
    slate = slates_of([customer.id])[customer.id]
    return [item["sku"] for item in slate.items]


def settle() -> None:
    while pipeline.process_events() + pipeline.refresh_slates():
        pass


def test_an_event_changes_the_slate_without_any_training(web: Source, send: Sent) -> None:
    row = put_in_service()
    send(web, identify("m0", userId="alice"))
    settle()
    assert slate_of("alice") == ["tent"]  # a stranger yet
    send(web, viewed("m1", "tea"))
    settle()
    assert slate_of("alice")[:2] == ["pot", "cup"]
    send(web, track("m2", "Order Completed", 1, userId="alice",
                    properties={"order_id": "o", "products": [{"sku": "pot", "quantity": 1}]}))  # fmt: skip
    settle()
    assert slate_of("alice")[0] == "cup" and "pot" not in slate_of("alice")
    vector = CustomerVector.objects.get(artifact=row, customer__identifiers__value="alice").vector
    # The pot, bought last, counts 3; the tea, looked at before it, 0.9.
    assert list(vector) == pytest.approx([0.9 / 9.81**0.5, 3 / 9.81**0.5, 0, 0], abs=1e-5)


def test_what_is_bought_again_and_again_stays(web: Source, send: Sent) -> None:
    put_in_service()
    Product.objects.filter(sku="pot").update(replenishable=True)
    send(web, viewed("m1", "tea"), track("m2", "Order Completed", 1, userId="alice",
         properties={"order_id": "o", "products": [{"sku": "pot", "quantity": 1}]}))  # fmt: skip
    settle()
    assert "pot" in slate_of("alice")


def test_a_refusal_makes_a_stranger_again_and_a_shared_identifier_teaches_nothing(
    web: Source, send: Sent
) -> None:
    put_in_service()
    send(web, viewed("m1", "tea", user="charlie"))
    settle()
    assert slate_of("charlie")[0] == "pot"
    refuses = {"consent": {"categoryPreferences": {"personalization": False}}}
    send(web, identify("m2", 1, userId="charlie", context=refuses))
    settle()
    assert not Slate.objects.filter(customer__identifiers__value="charlie").exists()
    assert slate_of("charlie") == ["tent"]


def test_a_merge_gives_the_one_customer_one_slate(web: Source, app: Source, send: Sent) -> None:
    put_in_service()
    send(web, viewed("m1", "tea"))
    send(app, track("m2", "Product Viewed", 1, anonymousId="a-phone", properties={"sku": "tent"}))
    settle()
    send(app, identify("m3", 2, userId="alice", anonymousId="a-phone"))
    settle()
    assert slate_of("a-phone") == slate_of("alice")
    assert Slate.objects.filter(customer__isnull=False, customer__identifiers__isnull=False).values(
        "customer"
    ).distinct().count() == 1  # fmt: skip


def test_products_the_artifact_does_not_know_say_nothing(web: Source, send: Sent) -> None:
    put_in_service()
    send(web, viewed("m1", "new-thing"))
    settle()
    assert slate_of("alice") == ["tent"]


def test_while_nothing_serves_nothing_is_asked_for(web: Source, send: Sent) -> None:
    send(web, viewed("m1", "tea"))
    pipeline.process_events()
    assert not outbox.waiting(Topic.SLATES)


def test_who_acted_while_a_run_learned_is_caught_up_when_it_serves(web: Source, send: Sent) -> None:
    send(web, viewed("m1", "tea"))
    settle()
    put_in_service()  # its slates were written before: only the strangers'
    settle()
    assert slate_of("alice")[0] == "pot"


def test_who_acts_does_not_wait_for_a_whole_shop_s_slates(web: Source, send: Sent) -> None:
    put_in_service()
    with transaction.atomic():
        outbox.add_slates(range(1_000_000, 1_000_200), later=True)
    send(web, viewed("m1", "tea"))
    pipeline.process_events()
    assert pipeline.refresh_slates() == 2  # hers, and a part of the others'
    assert slate_of("alice")[0] == "pot"
    assert OutboxMessage.objects.filter(topic=Topic.SLATES_LATER).count() == 3
    settle()
    assert not outbox.waiting(Topic.SLATES_LATER)


def test_a_whole_shop_s_slates_wait_once_however_often_they_are_asked_for() -> None:
    put_in_service()
    for _ in range(3):
        with transaction.atomic():
            outbox.add_slates({7, *outbox.take_back_later(), *range(100, 160)}, later=True)
    with transaction.atomic():
        assert outbox.take_back_later() == {7, *range(100, 160)}
    assert not outbox.waiting(Topic.SLATES_LATER)


def test_a_lost_file_keeps_the_work_and_says_why(web: Source, send: Sent) -> None:
    row = put_in_service()
    Path(row.path, "serving.npz").rename(Path(row.path, "away.npz"))
    send(web, viewed("m1", "tea"))
    pipeline.process_events()
    assert pipeline.refresh_slates() == 0
    waiting = OutboxMessage.objects.get(topic=Topic.SLATES)
    assert waiting.last_error.startswith("artifact_missing") and waiting.parked_at is None
    Path(row.path, "away.npz").rename(Path(row.path, "serving.npz"))
    outbox.try_again([waiting.id])
    settle()
    assert slate_of("alice")[0] == "pot"


def test_rollback_serves_what_served_before_and_catches_up(web: Source, send: Sent) -> None:
    first = put_in_service()
    send(web, viewed("m1", "tea"))
    settle()
    popular = Counts(np.array([0, 0, 9, 1], dtype=np.float32))
    second = put_in_service(Mixture({"popularity": (1.0, popular)}))
    settle()
    assert (serving_artifact(), slate_of("alice")[0]) == (second, "cup")
    send(web, viewed("m2", "tent", 1))
    settle()
    assert publish.roll_back("admin", "everybody gets cups") == first
    settle()
    assert (serving_artifact(), slate_of("alice")[0]) == (first, "pot")
    second.refresh_from_db()
    assert (second.status, second.reason) == (
        "refused",
        "rolled back by admin: everybody gets cups",
    )
    with pytest.raises(CDPError, match="nothing_to_roll_back"):
        publish.roll_back("admin", "again")


def test_after_a_rollback_the_next_promotion_keeps_what_served(web: Source, send: Sent) -> None:
    first = put_in_service()
    put_in_service()
    publish.roll_back("admin", "worse")
    put_in_service()
    assert publish.roll_back("admin", "worse again") == first


def test_a_split_before_a_rollback_is_not_undone_by_it(
    web: Source, app: Source, send: Sent
) -> None:
    """Alice's phone was taken for hers while the first artifact served; then it was split off. The
    slate of before must not come back with the rollback."""
    put_in_service()
    send(web, viewed("m1", "tea"))
    send(app, identify("m2", 1, userId="alice", anonymousId="a-phone"))
    settle()
    put_in_service()
    settle()
    alice = Customer.objects.get(identifiers__value="alice")
    phone = alice.identifiers.get(value="a-phone")
    deciding.split_customer(str(alice.public_id), [phone.id], "admin", "not hers")
    settle()
    publish.roll_back("admin", "worse")
    settle()
    assert slate_of("alice")[0] == "pot"
    assert slate_of("a-phone") == ["tent"]


def test_a_channel_alone_treats_who_says_nothing_as_serving_does(web: Source, send: Sent) -> None:
    """The cup leads nowhere: Alice is a stranger with all channels and with this one alone."""
    put_in_service(Lists(sparse.csr_matrix(LEADS), ONE, ONE))
    send(web, viewed("m1", "cup"))
    settle()
    assert slate_of("alice") == ["tent"]
    alice = Identifier.objects.get(value="alice")
    served = Presented(Shown("web", NOON, "alice", items=("tent",)), alice.id)
    alone = channels_alone(["web"])["web"].shown(served, "slate", frozenset(SKUS))
    assert alone.items == ("tent",)
