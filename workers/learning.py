"""Learn from the graph on a schedule."""

from __future__ import annotations

import logging

from cdp.errors import CDPError
from workers.app import app

log = logging.getLogger(__name__)


@app.task(name="workers.learning.train_matcher")
def train_matcher() -> int | None:
    """The number of the new candidate, which a person adopts; None with too few records."""
    from cdp.matching.run import train_matcher as train  # Splink and DuckDB, here and nowhere else

    try:
        return train("schedule", log.info).pk
    except CDPError as error:
        log.warning("no matcher this time: %s", error)
        return None


@app.task(name="workers.learning.index_products")
def index_products() -> int:
    """How many products were read anew for search."""
    from cdp.selectors.search import unread  # a look that needs no torch

    if not unread():
        return 0
    from graph_ml.searching import index_products as index

    try:
        return index(log.info)
    except CDPError as error:
        log.warning("products are not read for search: %s", error)
        return 0


@app.task(name="workers.learning.place_new_products")
def place_new_products() -> int:
    """How many products were made recommendable that no run has learned yet."""
    from cdp.selectors.ranker import serving_ranker, unplaced

    try:
        ranker = serving_ranker()
        if ranker is None or not unplaced(ranker, 1):  # a look that needs no torch
            return 0
        from graph_ml.placing import place_new_products as place

        return place(log.info)
    except CDPError as error:
        log.warning("new products are not placed: %s", error)
        return 0


@app.task(name="workers.learning.retrain")
def retrain() -> int | None:
    """The serving artifact's id after the run; None when there was nothing to learn from."""
    from graph_ml.run import learn  # torch is loaded by the worker that learns, and by no other

    try:
        result = learn(log.info)
    except CDPError as error:
        log.warning("no learning this time: %s", error)
        return None
    return result.serving.pk if result.serving else None
