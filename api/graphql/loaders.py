"""Data loaders: each kind of row is fetched once a request, however many places ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from strawberry.dataloader import DataLoader

from cdp.models import ChannelSpec, Fact, Identifier, Product, Profile, Slate, Variant
from cdp.selectors import content, customers, products, reasons, slates
from cdp.selectors.reasons import Path

K = TypeVar("K")
V = TypeVar("V")


def _loader(
    read: Callable[[Sequence[K]], Mapping[K, V]], empty: Callable[[], V] | None = None
) -> DataLoader[K, V | None]:
    # An error among the answers is raised where that key was asked for.
    async def load(keys: list[K]) -> list[V | None]:
        found = await sync_to_async(read)(keys)
        return [found.get(key, empty() if empty else None) for key in keys]

    return DataLoader(load_fn=load)


class Loaders:
    """One instance a request."""

    def __init__(self) -> None:
        self.customers: DataLoader[tuple[str, str], Any] = _loader(
            partial(customers.by_raw_identifiers, region=settings.DEFAULT_PHONE_REGION)
        )
        self.identifiers: DataLoader[int, list[Identifier] | None] = _loader(
            customers.identifiers_of, list
        )
        self.profiles: DataLoader[int, Profile | None] = _loader(customers.profiles_of)
        self.slates: DataLoader[int, Slate | None] = _loader(slates.slates_of)
        self.products: DataLoader[str, Product | None] = _loader(products.by_skus)
        self.facts: DataLoader[int, list[Fact] | None] = _loader(products.facts_of, list)
        self.paths: DataLoader[Path, int | None] = _loader(reasons.who_touched_both)
        self.specs: DataLoader[tuple[str, str], ChannelSpec | None] = _loader(content.specs_for)
        self._variants: dict[tuple[str, str], DataLoader[int, Variant | None]] = {}

    def variants(self, channel: str, locale: str) -> DataLoader[int, Variant | None]:
        key = (channel, locale)
        if key not in self._variants:
            self._variants[key] = _loader(lambda ids: content.variants_of(ids, channel, locale))
        return self._variants[key]
