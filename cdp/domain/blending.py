"""What a mixture does with its voices at the top: a small network instead of fixed weights.

Fixed weights say how much each voice counts on average. How much it should count depends on how
long a history is and how popular a product, and on whether one touch speaks for a product or many;
a network of one hidden layer over those learns it from what customers did last, and ranks anew
what the fixed weights rank first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp.domain.ranking import Touch
from cdp.domain.voices import Floats, Ints, Voice

RANKED_ANEW = 300
BELOW = np.float32(1000.0)
STEADY = 0.25


@dataclass(frozen=True)
class Blend:
    """``first`` (f, h), ``bias`` (h,), ``second`` (h,): the network over f inputs, from which ``shift``
    is taken and which ``scale`` divides; ``popular`` (P,): the logarithm of who touched a product."""

    first: Floats
    bias: Floats
    second: Floats
    shift: Floats
    scale: Floats
    popular: Floats

    def anew(
        self,
        total: Floats,
        voiced: Floats,
        histories: Sequence[Sequence[Touch]],
        peaked: Voice | None,
    ) -> Floats:
        """The scores (n, P) with the best of each row ranked by the network, and above all others.

        ``total``: the fixed weights' scores; ``voiced`` (k, n, P): each voice's, standardised.
        """
        found = total - BELOW
        count = min(RANKED_ANEW, total.shape[1])
        for row, history in enumerate(histories):
            if not history:
                continue
            places = np.argpartition(-total[row], count - 1)[:count]
            told = inputs(
                voiced[:, row, places],
                self.popular[places],
                history,
                peaks(peaked, history, places),
            )
            hidden = ((told - self.shift) / self.scale) @ self.first + self.bias
            found[row, places] = both(silu(hidden) @ self.second, total[row, places])
        return found


def both(anew: Floats, fixed: Floats) -> Floats:
    """The network's scores of one list (c,), with a little of the fixed weights' for steadiness."""
    parts = [(s - s.mean()) / max(float(s.std()), 1e-9) for s in (anew, fixed)]
    found: Floats = (parts[0] + np.float32(STEADY) * parts[1]).astype(np.float32)
    return found


def silu(values: NDArray[Any]) -> Floats:
    """x times the logistic of x (Elfwing et al. 2018), without overflow."""
    found: Floats = (values * 0.5 * (1 + np.tanh(values / 2))).astype(np.float32)
    return found


def inputs(voices: Floats, popular: Floats, history: Sequence[Touch], tops: Floats) -> Floats:
    """What the network hears of c products of one history (c, f): every voice's score, again with
    its loud end damped, and times the history's length and the product's popularity."""
    length = np.float32(np.log1p(len({touch.product for touch in history})))
    known = np.stack([popular, np.full_like(popular, length), popular * length])
    found = np.concatenate(
        [voices, np.log1p(np.maximum(voices, 0)), known, voices * length, voices * popular, tops]
    )
    return found.T.astype(np.float32)


def peaks(voice: Voice | None, history: Sequence[Touch], products: Ints) -> Floats:
    """Is it one touch that speaks for a product, or many (3, c): the loudest and the three loudest
    touches beside what all say of an average product, and the share of touches that say anything."""
    if voice is None:
        return np.zeros((3, len(products)), dtype=np.float32)
    shares = voice.shares(history, products)
    loud: NDArray[np.float32] = -np.sort(-shares, axis=0)
    usual = max(float(shares.sum(axis=0).mean()), 1e-9)
    loudest = np.log1p(np.maximum(loud[:1].sum(axis=0), 0) / usual)
    three = np.log1p(np.maximum(loud[:3].sum(axis=0), 0) / usual)
    speaking = (shares > 0).mean(axis=0)
    return np.stack([loudest, three, speaking]).astype(np.float32)
