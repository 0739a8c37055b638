"""How alike the channels treat a customer, and the shop's customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from cdp.domain.consistency import PairScore
from cdp.models import ConsistencyReport


@strawberry.type(description="What two channels did differently.")
class Difference:
    channels: list[str]
    score: float
    detail: str


@strawberry.type(description="One dimension of one customer's consistency.")
class CustomerDimension:
    name: str
    score: float | None = strawberry.field(description="mean over pairs; null: nothing to compare")
    pairs: int
    differences: list[Difference]

    @classmethod
    def of(cls, name: str, pairs: list[PairScore]) -> CustomerDimension:
        differing = [pair for pair in pairs if pair.difference]
        return cls(
            name=name,
            score=sum(pair.score for pair in pairs) / len(pairs) if pairs else None,
            pairs=len(pairs),
            differences=[
                Difference(channels=list(p.channels), score=p.score, detail=p.difference)
                for p in differing
            ],
        )


@strawberry.type(description="One dimension of the shop's consistency in a window.")
class ShopDimension:
    name: str
    score: float | None
    low: float | None = strawberry.field(description="lower end of the 95 % interval")
    high: float | None
    status: str = strawberry.field(description="not_measured (< 30 customers), shown, or compared")
    customers: int
    pairs: int
    left_out: JSON
    alone: float | None = strawberry.field(description="the same with each channel alone")
    corrected: float | None = strawberry.field(description="slate only: freed of popularity")
    differences: list[str]

    @classmethod
    def of(cls, name: str, row: dict[str, Any]) -> ShopDimension:
        return cls(
            name=name, score=row["score"], low=row["low"], high=row["high"], status=row["status"],
            customers=row["customers"], pairs=row["pairs"], left_out=row["leftOut"],
            alone=row["alone"]["score"], corrected=row["corrected"], differences=row["differences"],
        )  # fmt: skip


@strawberry.type(
    description="The shop's consistency: a vector first, and one number with coverage."
)
class ShopConsistency:
    window_start: datetime
    window_end: datetime
    score: float | None = strawberry.field(
        description="weighted geometric mean of the lower bounds; null: nothing measured"
    )
    coverage: float = strawberry.field(
        description="customers measured / customers seen on two channels or more"
    )
    dimensions: list[ShopDimension]

    @classmethod
    def of(cls, row: ConsistencyReport) -> ShopConsistency:
        return cls(
            window_start=row.window_start, window_end=row.window_end, score=row.score,
            coverage=row.coverage,
            dimensions=[ShopDimension.of(name, part) for name, part in row.rows()],
        )  # fmt: skip
