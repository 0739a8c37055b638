"""Write products and their facts; a changed fact supersedes the one before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.utils import timezone

from cdp import outbox
from cdp.domain.listing import Listing, Value
from cdp.errors import CDPError
from cdp.models import ChannelFact, Fact, Product, ProductImage, Topic
from cdp.statements import execute

_PICTURES = 7_301_009


def write_products(listings: Iterable[Listing], origin: str) -> int:
    """Insert or update products, supersede changed facts, tell the graph; returns how many.

    Raises:
        CDPError: ``bad_row`` where a picture's vector is not as long as the shop's others.
    """
    rows = list({item.sku: item for item in listings}.values())
    with transaction.atomic():
        products = Product.objects.bulk_create(
            [
                Product(
                    sku=item.sku, title=item.title, description=item.description,
                    category=item.category, brand=item.brand, in_stock=item.in_stock,
                    replenishable=item.replenishable, channels=list(item.channels),
                )
                for item in rows
            ],
            update_conflicts=True,
            unique_fields=["sku"],
            update_fields=[
                "title", "description", "category", "brand", "in_stock", "replenishable", "channels",
            ],
        )  # fmt: skip
        ids = [product.pk for product in products]
        _supersede({p.pk: item.facts for p, item in zip(products, rows, strict=True)}, origin)
        _describe(
            {p.pk: i.image_vector for p, i in zip(products, rows, strict=True) if i.image_vector}
        )
        if ids:
            outbox.add(Topic.GRAPH, {"products": sorted(ids)})
    return len(rows)


def _describe(pictures: Mapping[int, tuple[float, ...]]) -> None:
    if not pictures:
        return
    execute(f"SELECT pg_advisory_xact_lock({_PICTURES})", [])  # one length, whoever writes beside
    known = ProductImage.objects.exclude(product_id__in=pictures).first()
    lengths = {len(vector) for vector in pictures.values()}
    lengths |= {len(known.vector)} if known else set()
    if len(lengths) > 1:
        said = " and ".join(map(str, sorted(lengths)))
        raise CDPError("bad_row", f"pictures are described by {said} numbers", field="image_vector")
    ProductImage.objects.bulk_create(
        [ProductImage(product_id=id_, vector=list(vector)) for id_, vector in pictures.items()],
        update_conflicts=True, unique_fields=["product"], update_fields=["vector"],
    )  # fmt: skip


def forget_pictures() -> None:
    """Take all pictures away, so that others of another length may come."""
    ProductImage.objects.all()._raw_delete("default")


def write_channel_facts(channel: str, values: Mapping[str, Mapping[str, str]]) -> int:
    """What a channel's own records say, by sku and fact key; only measured, never served."""
    products = dict(Product.objects.filter(sku__in=list(values)).values_list("sku", "id"))
    rows = [
        ChannelFact(product_id=products[sku], channel=channel, key=key, value=value)
        for sku, facts in values.items()
        if sku in products
        for key, value in facts.items()
    ]
    ChannelFact.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["product", "channel", "key"],
        update_fields=["value"], batch_size=1000,
    )  # fmt: skip
    return len(rows)


def _supersede(wanted: dict[int, Mapping[str, tuple[str, Value]]], origin: str) -> None:
    current = {
        (row.product_id, row.key): row
        for row in Fact.objects.select_for_update().filter(
            product_id__in=wanted, superseded_at=None
        )
    }
    old: list[int] = []
    new: list[Fact] = []
    for product, facts in wanted.items():
        for key, (kind, value) in facts.items():
            known = current.get((product, key))
            if known is not None and (known.type, known.value) == (kind, dict(value)):
                continue
            if known is not None:
                old.append(known.pk)
            version = known.version + 1 if known else 1
            new.append(
                Fact(product_id=product, key=key, type=kind, value=dict(value), version=version,
                     origin=origin)
            )  # fmt: skip
    changed = {fact.product_id for fact in new}
    Product.objects.filter(id__in=changed).update(texts_due=True)
    Fact.objects.filter(pk__in=old).update(superseded_at=timezone.now())
    Fact.objects.bulk_create(new, batch_size=1000)
