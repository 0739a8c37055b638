"""Read what a customer did to which products from a tracked event.

Event names follow Segment's e-commerce specification, version 2; other names carry no verb.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

VERBS: Mapping[str, str] = {
    "product viewed": "viewed",
    "product clicked": "viewed",
    "product added": "added",
    "product added to wishlist": "added",
    "order completed": "purchased",
    "order refunded": "returned",
    "products searched": "searched",
    "product list viewed": "",
}
MAX_LINES = 500
MAX_QUANTITY = 1e6
MAX_PRICE = 1e9


class Line(NamedTuple):
    """One product of an event; ``amount`` is money (price × quantity) in the shop's currency."""

    sku: str
    quantity: float
    amount: float


def verb_of(event_type: str, name: str) -> str:
    return VERBS.get(name.strip().casefold(), "") if event_type == "track" else ""


def lines_of(properties: Mapping[str, Any]) -> list[Line]:
    """The product lines of an event's properties; lines without a product id are left out."""
    listed = properties.get("products")
    items = listed if isinstance(listed, list) else [properties]
    lines = (_line(item) for item in items[:MAX_LINES] if isinstance(item, Mapping))
    return [line for line in lines if line is not None]


def _line(item: Mapping[str, Any]) -> Line | None:
    sku = item.get("sku") or item.get("product_id")
    if not isinstance(sku, str | int) or isinstance(sku, bool):
        return None
    quantity = _number(item.get("quantity"), 1.0, MAX_QUANTITY)
    amount = quantity * _number(item.get("price"), 0.0, MAX_PRICE)
    return Line(str(sku)[:100], round(quantity, 4), round(amount, 4))


def _number(value: object, default: float, limit: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return default
    return number if math.isfinite(number) and abs(number) <= limit else default
