"""Everything that is said of one model's quality, and of whom it is good for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph_ml.dataset import Interactions, Split
from graph_ml.metrics import Judged, K, interval, mean

Floats = NDArray[np.float64]
TAIL = 0.8  # of the products, by touches: the long tail
FEWEST = 20  # customers of a group that is judged by itself


@dataclass(frozen=True)
class Quality:
    """``recall`` and ``ndcg`` at 20 of each customer; ``groups``: which of them belong to which;
    ``tail``: share of all places given to the long tail's products."""

    recall: Floats
    ndcg: Floats
    groups: Mapping[str, NDArray[np.bool_]]
    tail: float


def groups_of(data: Split, whole: Interactions | None = None) -> dict[str, frozenset[int]]:
    """Customers by activity (thirds by how many products they touched) and, where the interactions
    say it, by the channel they use most."""
    asked = sorted(data.targets)
    lengths = np.array([len(data.had(customer)) for customer in asked])
    found: dict[str, frozenset[int]] = {}
    if len(asked):
        low, high = np.quantile(lengths, [1 / 3, 2 / 3])
        names = np.where(lengths <= low, "light", np.where(lengths <= high, "medium", "heavy"))
        for name in ("light", "medium", "heavy"):
            found[f"activity {name}"] = frozenset(
                customer for customer, own in zip(asked, names, strict=True) if own == name
            )
    if whole is not None and len(whole.channel):
        used: dict[int, Counter[str]] = {}
        for customer, channel in zip(whole.customer.tolist(), whole.channel, strict=True):
            used.setdefault(customer, Counter())[channel] += 1
        for customer in asked:
            [(channel, _)] = used[customer].most_common(1)
            name = f"channel {channel}"
            found[name] = found.get(name, frozenset()) | {customer}
    return found


def quality(found: Judged, data: Split, groups: Mapping[str, frozenset[int]]) -> Quality:
    masks = {
        name: np.array([customer in members for customer in found.customers], dtype=bool)
        for name, members in groups.items()
    }
    kept = {name: mask for name, mask in masks.items() if mask.sum() >= FEWEST}
    return Quality(found.recall(), found.ndcg(), kept, _tail_share(found, data))


def figures(
    found: Judged,
    data: Split,
    groups: Mapping[str, frozenset[int]],
    text: NDArray[np.float32] | None = None,
) -> dict[str, float]:
    """Every metric by name, with the ends of 95 % intervals for those that decide.

    novelty: mean self-information in bits of what is shown (Zhou et al. 2010); diversity: mean
    cosine distance of the texts within a list (Ziegler et al. 2005); cold: targets that nobody
    had touched in what was learned from.
    """
    k = K
    recall, ndcg = found.recall(k), found.ndcg(k)
    shown = found.exposures(len(data.skus))
    degree = np.asarray((data.matrix > 0).sum(axis=0)).ravel()
    told = {
        f"recall@{k}": mean(recall), f"ndcg@{k}": mean(ndcg), f"precision@{k}": mean(found.precision(k)),
        f"mrr@{k}": mean(found.mrr(k)), f"hit@{k}": mean(found.hit(k)),
        f"coverage@{k}": np.count_nonzero(shown) / len(data.skus),
        "novelty": _novelty(found, degree), "tail share": _tail_share(found, data),
        "customers": float(len(found.customers)),
    }  # fmt: skip
    for name, values in (("recall", recall), ("ndcg", ndcg)):
        told[f"{name}@{k} low"], told[f"{name}@{k} high"] = interval(values)
    if text is not None and text.any():
        told["diversity"] = diversity(found, text)
    told |= by_warmth(found, data)
    for name, mask in quality(found, data, groups).groups.items():
        told[f"recall@{k} {name}"] = mean(recall[mask])
    return {name: float(value) for name, value in told.items()}


def _novelty(found: Judged, degree: NDArray[np.int64]) -> float:
    share = np.maximum(degree, 1) / max(1, int(degree.max(initial=1)))
    return float(-np.log2(share[found.top]).mean()) if found.top.size else 0.0


def _tail_share(found: Judged, data: Split) -> float:
    """Ties in touches go by index, so that the tail is always the same share of the products."""
    degree = np.asarray((data.matrix > 0).sum(axis=0)).ravel()
    tail = np.argsort(degree, kind="stable")[: round(TAIL * len(degree))]
    shown = found.exposures(len(degree))
    return float(shown[tail].sum() / max(1, shown.sum()))


def diversity(found: Judged, text: NDArray[np.float32], most: int = 2000) -> float:
    step = max(1, len(found.top) // most)
    unit = text / np.maximum(np.linalg.norm(text, axis=1, keepdims=True), 1e-9)
    distances: Sequence[float] = [
        1 - (float((unit[row].sum(axis=0) ** 2).sum()) - len(row)) / (len(row) * (len(row) - 1))
        for row in found.top[::step]
        if len(row) > 1
    ]
    return float(np.mean(distances)) if distances else 0.0


def by_warmth(
    found: Judged, data: Split, cold: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """recall@20 over targets that were touched before (warm) and that nobody had touched (cold);
    ``cold`` (P,) says which those are, where they are known already."""
    if cold is None:
        cold = np.asarray((data.matrix > 0).sum(axis=0)).ravel() == 0
    told: dict[str, float] = {}
    for name, is_cold in (("warm", False), ("cold", True)):
        shares = []
        for row, customer in enumerate(found.customers):
            wanted = {p for p in data.targets[customer] if cold[p] == is_cold}
            if wanted:
                shares.append(len(wanted & set(found.top[row].tolist())) / len(wanted))
        if shares:
            told[f"recall@{K} {name}"] = float(np.mean(shares))
            told[f"customers {name}"] = float(len(shares))
    return told
