"""The serving artifact, ready to rank."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from cdp import artifacts
from cdp.domain.slates import Ranker
from cdp.domain.variety import Variety
from cdp.models import Product, Slate
from cdp.selectors.slates import serving_artifact


def serving_ranker() -> Ranker | None:
    """What serves, read once a process; None when nothing serves.

    Raises:
        CDPError: ``artifact_missing``, ``artifact_unreadable``.
    """
    artifact = serving_artifact()
    return None if artifact is None else ranker_of(artifact.path)


def ranker_of(path: str) -> Ranker:
    """An artifact ready to rank; read again where the file was replaced since."""
    file = Path(path) / "serving.npz"
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    return _read(str(file), changed)


@lru_cache(maxsize=2)
def _read(path: str, changed: int) -> Ranker:
    return artifacts.load(Path(path))


def unplaced(ranker: Ranker, most: int) -> list[str]:
    """The oldest ``most`` products of the catalogue that a ranker does not know."""
    skus = Product.objects.order_by("id").values_list("sku", flat=True)
    return [sku for sku in skus.iterator() if sku not in ranker.index][:most]


def bought_again(index: Mapping[str, int]) -> frozenset[int]:
    """The products, by their place in ``index``, that one buys again and again."""
    skus = Product.objects.filter(replenishable=True).values_list("sku", flat=True)
    return frozenset(index[sku] for sku in skus if sku in index)


def variety() -> Variety:
    """How much of a slate is there for variety's sake, as the settings say."""
    return Variety(settings.SLATE_DIVERSITY, settings.SLATE_EXPLORATION)


def strangers_skus() -> list[str]:
    slate = Slate.objects.filter(artifact=serving_artifact(), customer=None).first()
    return [item["sku"] for item in slate.items] if slate else []
