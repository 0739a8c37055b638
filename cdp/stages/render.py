"""Render and store the texts of products whose facts, or whose channels' specs, changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from django.db import transaction

from cdp.domain.facts import Rendered
from cdp.models import ChannelSpec, Product, Variant
from cdp.selectors.content import compose, fact_values
from cdp.selectors.products import facts_of


def render(products: Iterable[int]) -> int:
    """Write missing and stale variants on every channel and locale; returns how many."""
    with transaction.atomic():
        # Facts that change meanwhile wait for this lock and make the product due again.
        ids = _lock(products)
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
                made, problems = compose(spec, values)
                if old is not None and not _differs(old, spec, made):
                    continue
                written.append(
                    Variant(
                        product_id=product, channel=spec.channel, locale=spec.locale,
                        text=made.text, spec_digest=spec.digest, facts=made.stated,
                        problems=[asdict(problem) for problem in problems],
                    )
                )  # fmt: skip
        Variant.objects.bulk_create(
            written,
            update_conflicts=True,
            unique_fields=["product", "channel", "locale"],
            update_fields=["text", "spec_digest", "facts", "problems"],
            batch_size=500,
        )
        Product.objects.filter(id__in=ids).update(texts_due=False)
    return len(written)


def _differs(old: Variant, spec: ChannelSpec, made: Rendered) -> bool:
    return (old.text, old.spec_digest, old.facts) != (made.text, spec.digest, made.stated)


def due_products(limit: int) -> list[int]:
    """Products whose facts changed since their texts were made."""
    rows = Product.objects.filter(texts_due=True).order_by("id")
    return list(rows.values_list("id", flat=True)[:limit])


def make_due() -> int:
    """A channel's spec changed: every product's texts are looked at again."""
    return Product.objects.update(texts_due=True)


def _lock(products: Iterable[int]) -> list[int]:
    rows = Product.objects.filter(id__in=list(products)).order_by("id")
    return list(rows.select_for_update(no_key=True).values_list("id", flat=True))
