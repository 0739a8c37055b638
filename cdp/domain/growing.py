"""A trained ranker with products added that it has not learned: others speak for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from cdp.domain.mixing import Mixture
from cdp.domain.slates import Ranker
from cdp.domain.stand_in import StandIns
from cdp.domain.voices import Counts, Lists, Neighbours, Vectors, Voice


def grown(ranker: Ranker, skus: Sequence[str], by: sparse.csr_matrix) -> Ranker:
    """The ranker with ``skus`` added, in each of which the products it knows speak as ``by``
    (m, P) weighs them, rows adding up to 1. Vectors become means, all else is filled in when asked."""
    mixture = ranker.mixture
    count, more = len(ranker.skus), len(skus)
    parts = {name: (weight, _longer(voice, by)) for name, (weight, voice) in mixture.parts.items()}
    old = mixture.stand_ins
    places = np.arange(count, count + more)
    wide = sparse.csr_matrix((by.data, by.indices, by.indptr), shape=(more, count + more))
    lift = 1.0
    if old is not None:
        # A new product may be nearest to one that others speak for already: then those do.
        earlier = _wider(old.by, count + more)
        wide = _spoken_for(wide, old.places, earlier)
        places, lift = np.concatenate([old.places, places]), old.lift
        wide = sparse.vstack([earlier, wide]).tocsr()
    blend = mixture.blend
    if blend is not None:
        blend = replace(blend, popular=_means(blend.popular, by))
    found = Mixture(parts, blend, StandIns(places, wide.astype(np.float32), lift))
    return Ranker([*ranker.skus, *skus], found)


def _wider(rows: sparse.csr_matrix, columns: int) -> sparse.csr_matrix:
    shape = (rows.shape[0], columns)
    return sparse.csr_matrix((rows.data, rows.indices, rows.indptr), shape=shape)


def _spoken_for(
    rows: sparse.csr_matrix, places: Any, earlier: sparse.csr_matrix
) -> sparse.csr_matrix:
    """The rows with the columns of ``places`` given to those who speak for them."""
    of_new = rows[:, places]
    keep = np.ones(rows.shape[1], dtype=np.float32)
    keep[places] = 0.0
    return (rows @ sparse.diags(keep) + of_new @ earlier).tocsr()


def _means(values: Any, by: sparse.csr_matrix) -> Any:
    return np.concatenate([values, by @ values]).astype(np.float32)


def _longer(voice: Voice, by: sparse.csr_matrix) -> Voice:
    more = by.shape[0]
    if isinstance(voice, Vectors):
        given, asked = (_means(values, by) for values in (voice.given, voice.asked))
        return replace(voice, vectors=_means(voice.vectors, by), given=given, asked=asked)
    if isinstance(voice, Lists):
        count = voice.leads.shape[0] + more
        leads = voice.leads.copy()
        leads.resize((count, count))
        given, asked = (_means(values, by) for values in (voice.given, voice.asked))
        return replace(voice, leads=leads, given=given, asked=asked)
    if isinstance(voice, Counts):
        return replace(voice, counts=np.append(voice.counts, np.zeros(more, dtype=np.float32)))
    if isinstance(voice, Neighbours):
        by_customers = _wider(voice.by, voice.by.shape[1] + more)
        return replace(voice, by=by_customers, damping=_means(voice.damping, by))
    raise TypeError(f"{type(voice).__name__} cannot grow")
