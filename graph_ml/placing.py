"""Make new products recommendable before they are learned: by the products whose words are nearest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from django.db import transaction

from cdp import artifacts, outbox
from cdp.domain.growing import grown
from cdp.draining import only_one
from cdp.models import Slate
from cdp.selectors.ranker import ranker_of, unplaced
from cdp.selectors.slates import serving_artifact
from cdp.stages import publish
from graph_ml import features
from graph_ml.models.newcomers import nearest
from graph_ml.text import encode

PLACING_LOCK = 7_301_007
MOST = 2000  # new products at once
Say = Callable[[str], None]


def place_new_products(say: Say = lambda line: None) -> int:
    """Add the catalogue's products that the serving artifact does not know; every customer's slate is
    then computed anew. Returns how many; 0 as well where nothing serves or another is placing.

    Raises:
        CDPError: ``artifact_missing``, ``artifact_unreadable``, ``encoder_missing``.
    """
    with only_one(PLACING_LOCK) as alone:
        serving = serving_artifact() if alone else None
        if serving is None:
            return 0
        ranker = ranker_of(serving.path)
        new = unplaced(ranker, MOST)
        if not new:
            return 0
        told = encode(features.texts_of([*ranker.skus, *new]))
        by = nearest(told, np.arange(len(ranker.skus), len(told)), np.arange(len(ranker.skus)))
        if by is None:
            return 0
        larger = grown(ranker, new, by)
        # A kill in between leaves them unplaced, and the next look does it all again.
        publish.add_product_vectors(serving.pk, larger, new)
        artifacts.save(larger, Path(serving.path) / "serving.npz")
        with transaction.atomic():
            rows = Slate.objects.filter(artifact=serving, customer__isnull=False)
            known = rows.values_list("customer_id", flat=True)
            waiting = outbox.take_back_later()  # not once more for every product that comes
            outbox.add_slates({*waiting, *(id_ for id_ in known if id_ is not None)}, later=True)
        say(f"{len(new)} new products placed by their words")
        return len(new)
