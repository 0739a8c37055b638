"""Keep the texts of every channel up to date with the facts."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from cdp import pipeline
from workers.app import app


@app.task(name="workers.content.refresh")
def refresh() -> int:
    return pipeline.refresh_content()


@app.task(name="workers.content.measure_consistency")
def measure_consistency() -> float | None:
    """The shop's score over the last week; None when nothing could be measured."""
    now = timezone.now()
    return pipeline.measure_consistency(now - timedelta(days=7), now).score
