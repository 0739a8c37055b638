"""Render and store the variants of products whose facts changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from cdp.models import ChannelSpec, Product, Variant
from cdp.selectors.content import compose, fact_values, is_stale
from cdp.selectors.products import facts_of


def render(products: Iterable[int], *, everything: bool = False) -> int:
    """Write missing and stale variants on every channel and locale; returns how many."""
    ids = list(products)
    facts = facts_of(ids)
    stored = {
        (row.product_id, row.channel, row.locale): row
        for row in Variant.objects.filter(product_id__in=ids)
    }
    written: list[Variant] = []
    for spec in ChannelSpec.objects.all():
        for product in ids:
            values = fact_values(facts.get(product, []))
            old = stored.get((product, spec.channel, spec.locale))
            if old is not None and not everything and not is_stale(old, values):
                continue
            made, problems = compose(spec, values)
            written.append(
                Variant(
                    product_id=product, channel=spec.channel, locale=spec.locale, text=made.text,
                    facts=made.stated, problems=[asdict(problem) for problem in problems],
                )
            )  # fmt: skip
    Variant.objects.bulk_create(
        written,
        update_conflicts=True,
        unique_fields=["product", "channel", "locale"],
        update_fields=["text", "facts", "problems"],
        batch_size=500,
    )
    return len(written)


def all_products() -> list[int]:
    return list(Product.objects.order_by("id").values_list("id", flat=True))
