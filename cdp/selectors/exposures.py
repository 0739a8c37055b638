"""Exposures as the consistency formulas want them, of customers as they are resolved now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdp.domain.consistency import Shown
from cdp.models import Exposure, Product

Grouped = dict[str, dict[int, list["Presented"]]]


@dataclass(frozen=True)
class Presented:
    """An exposure with the identifier it was asked for by, and (texts) what it was about."""

    shown: Shown
    identifier: int
    subject: str = ""


def grouped(start: datetime, end: datetime, customers: Iterable[int] | None = None) -> Grouped:
    """Exposures of a window by kind and by present customer; shared identifiers left out."""
    rows = Exposure.objects.filter(
        occurred_at__gte=start, occurred_at__lte=end, identifier__isnull=False,
        identifier__shared=False, identifier__customer__isnull=False,
    ).order_by("occurred_at", "id")  # fmt: skip
    if customers is not None:
        rows = rows.filter(identifier__customer_id__in=list(customers))
    found: Grouped = defaultdict(lambda: defaultdict(list))
    fields = ("kind", "channel", "occurred_at", "customer_as_served", "detail", "identifier_id")
    for kind, channel, at, served_as, detail, identifier, customer in rows.values_list(
        *fields, "identifier__customer_id"
    ):
        shown = Shown(channel, at, str(served_as), **_content(kind, detail))
        subject = f"{detail['sku']}/{detail['locale']}" if kind == "content" else ""
        found[kind][customer].append(Presented(shown, identifier, subject))
    return found


def _content(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    if kind == "slate":
        return {"items": tuple(detail["items"])}
    if kind == "content":
        prefix = f"{detail['sku']}/{detail['locale']}/"
        return {"facts": {prefix + key: used["value"] for key, used in detail["facts"].items()}}
    return {"traits": detail["traits"]}


def showable_skus(channels: Iterable[str]) -> dict[str, frozenset[str]]:
    """The products that each channel may show now."""
    rows = list(Product.objects.filter(in_stock=True).values_list("sku", "channels"))
    return {
        channel: frozenset(sku for sku, allowed in rows if not allowed or channel in allowed)
        for channel in channels
    }
