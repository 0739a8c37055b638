"""Who speaks for products that nobody touched yet, and how loud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cdp.domain.stand_in import StandIns
from graph_ml.dataset import Split
from graph_ml.metrics import Judged
from graph_ml.models.contract import ProductFeatures, Report
from graph_ml.quality import by_warmth

NEAREST = 10
LIFTS = (1.0, 1.15, 1.3, 1.45, 1.6, 1.8, 2.2, 3.0)
FAIR = 0.6  # of the recall of products known before
PRICE = 0.02  # of the quality that fairness may cost
FEWEST = 20  # customers who wanted something new
BLOCK = 2000


def stand_ins(data: Split, features: ProductFeatures, lift: float = 1.0) -> StandIns | None:
    """The ``NEAREST`` known products of each new one by their texts' cosine; None without texts or
    without new products."""
    known = np.asarray((data.matrix > 0).sum(axis=0)).ravel() > 0
    new, old = np.flatnonzero(~known), np.flatnonzero(known)
    by = nearest(features.text, new, old)
    return None if by is None else StandIns(new, by, lift)


def nearest(
    text: NDArray[np.float32], new: NDArray[np.int64], old: NDArray[np.int64]
) -> sparse.csr_matrix | None:
    """How much each of the ``old`` products speaks for each of the ``new`` ones (both of the rows of
    ``text``): the cosine of the nearest, rows adding up to 1; columns are all rows of the text up to
    the last old one."""
    if not text.any() or not len(new) or not len(old):
        return None
    text = text - text.mean(axis=0)
    text /= np.maximum(np.linalg.norm(text, axis=1, keepdims=True), 1e-9)
    count = min(NEAREST, len(old))
    near, weight = [], []
    for start in range(0, len(new), BLOCK):
        cosine = text[new[start : start + BLOCK]] @ text[old].T
        place = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
        near.append(old[place])
        weight.append(np.maximum(np.take_along_axis(cosine, place, axis=1), 1e-3))
    weights = np.concatenate(weight)
    weights /= weights.sum(axis=1, keepdims=True)
    starts = np.arange(0, count * len(new) + 1, count)
    shape = (len(new), int(old.max()) + 1 if new.min() > old.max() else len(text))
    by = sparse.csr_matrix((weights.ravel(), np.concatenate(near).ravel(), starts), shape=shape)
    return by.astype(np.float32)


def lifted(
    found: StandIns, past: Split, judge: Callable[[StandIns], Judged], report: Report
) -> StandIns:
    """The quietest lift by which new products are found ``FAIR`` of as often as known ones, for at
    most ``PRICE`` of the quality; where none is, the one that comes nearest."""
    new = set(found.places.tolist())
    asked = sum(bool(past.targets[customer] & new) for customer in past.targets)
    if asked < FEWEST:
        return found
    tried = []
    for lift in LIFTS:
        one = replace(found, lift=lift)
        shown = judge(one)
        quality = float((shown.recall() + shown.ndcg()).mean())
        tried.append((one, quality, _ratio(shown, past, new)))
    best = max(quality for _, quality, _ in tried)
    allowed = [row for row in tried if row[1] >= (1 - PRICE) * best]
    fair = [row for row in allowed if row[2] >= FAIR]
    chosen = fair[0] if fair else max(allowed, key=lambda row: row[2])
    report(f"new products: lift {chosen[0].lift:g}, recall {chosen[2]:.2f} of the known ones' ({asked} customers)")  # fmt: skip
    return chosen[0]


def _ratio(shown: Judged, past: Split, new: set[int]) -> float:
    """Recall of new products over recall of known ones."""
    told = by_warmth(shown, past, np.isin(np.arange(len(past.skus)), list(new)))
    known = told.get("recall@20 warm", 0.0)
    return told.get("recall@20 cold", 0.0) / known if known else 0.0
