"""The pages of learning: pictures of a training, groups, and rolling back."""

from __future__ import annotations

import pytest
from django.test import Client

from cdp.admin.curves import groups, training
from cdp.models import Artifact, ArtifactStatus, Slate, Snapshot

BACK = "/admin/cdp/artifact/roll-back/"


@pytest.fixture
def two(db: None) -> tuple[Artifact, Artifact]:
    """One that served before and one that serves."""
    snapshot = Snapshot.objects.create(
        path="", checksum="", customers=1, products=1, interactions=1
    )
    made = []
    for n, status in enumerate((ArtifactStatus.RETIRED, ArtifactStatus.SERVING)):
        row = Artifact.objects.create(
            snapshot=snapshot, model="lightgcn", parameters={}, device="cpu", seconds=1, status=status,
            metrics={"recall@20": 0.2, "recall@20 low": 0.1, "recall@20 activity <light>": 0.1 * n},
            curve=[{"epoch": 1, "loss": 3.0, "ndcg": 0.1}, {"epoch": 2, "loss": 2.0, "ndcg": 0.2}],
            cost={"cpu_seconds": 2.0, "peak_mb": 300.0, "energy_wh": 0.005},
            served_from=f"2026-11-0{n + 1}T00:00Z",
        )  # fmt: skip
        Slate.objects.create(artifact=row, customer=None, items=[])
        made.append(row)
    return made[0], made[1]


def test_the_page_shows_the_training(admin_client: Client, two: tuple[Artifact, Artifact]) -> None:
    page = admin_client.get(f"/admin/cdp/artifact/{two[1].pk}/change/").content.decode()
    assert "loss and held-out ndcg of 2 epochs" in page and "recall by group" in page
    assert "2.0 processor seconds, 300 MB at most, about 0.005 Wh" in page


def test_rolling_back_asks_and_then_does(
    admin_client: Client, two: tuple[Artifact, Artifact]
) -> None:
    assert b"will serve again" in admin_client.get(BACK).content
    assert b"will serve again" in admin_client.post(BACK, {"reason": ""}).content
    admin_client.post(BACK, {"reason": "worse on the app"})
    before, after = (Artifact.objects.get(pk=row.pk) for row in two)
    assert (before.status, after.status) == ("serving", "refused")
    assert after.reason == "rolled back by admin: worse on the app"
    assert admin_client.get(BACK).status_code == 302  # nothing more to go back to


def test_nobody_without_the_right_rolls_back(
    client: Client, two: tuple[Artifact, Artifact], django_user_model: object
) -> None:
    staff = django_user_model.objects.create_user("staff", password="x", is_staff=True)  # type: ignore[attr-defined]
    client.force_login(staff)
    assert client.post(BACK, {"reason": "x"}).status_code == 403


def test_pictures_by_hand() -> None:
    assert str(training([])) == "<p>closed form: nothing was trained</p>"
    curve = [{"epoch": 1, "loss": 3.0, "ndcg": 0.1}, {"epoch": 2, "loss": 2.0, "ndcg": 0.3}]
    drawn = str(training(curve))
    assert 'points="46.0,0.0 466.0,140.0"' in drawn and 'points="46.0,140.0 466.0,0.0"' in drawn
    assert "epoch 2" in drawn
    shown = str(groups({"recall@20": 0.5, "recall@20 low": 0.4, "recall@20 activity <b>": 0.25}))
    assert "everybody" in shown and "&lt;b&gt;" in shown and "low" not in shown
    assert 'width="210.0"' in shown
