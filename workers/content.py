"""Keep the texts of every channel up to date with the facts."""

from __future__ import annotations

from cdp import pipeline
from workers.app import app


@app.task(name="workers.content.refresh")
def refresh() -> int:
    return pipeline.refresh_content()
