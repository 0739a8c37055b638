"""Measure the shop's consistency and keep the report."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from cdp.models import ConsistencyReport
from cdp.selectors.consistency import of_shop


def measure(start: datetime, end: datetime) -> ConsistencyReport:
    found = of_shop(start, end)
    dimensions = {
        d.name: {
            "score": d.with_unison.score, "low": d.with_unison.low, "high": d.with_unison.high,
            "status": d.with_unison.status, "customers": d.with_unison.customers,
            "pairs": d.with_unison.pairs, "leftOut": dict(d.with_unison.left_out),
            "alone": asdict(d.alone), "popularity": d.popularity, "corrected": d.corrected,
            "differences": d.differences,
        }
        for d in found.dimensions
    }  # fmt: skip
    return ConsistencyReport.objects.create(
        window_start=start, window_end=end, coverage=found.coverage, score=found.score,
        dimensions=dimensions,
    )  # fmt: skip
