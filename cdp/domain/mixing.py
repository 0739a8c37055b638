"""Voices together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cdp.domain.blending import Blend
from cdp.domain.ranking import Touch
from cdp.domain.stand_in import StandIns
from cdp.domain.voices import (
    SILENT,
    Floats,
    Histories,
    Ints,
    Lists,
    Vectors,
    Voice,
    lengths,
    standardised,
)

BLOCK = 128


@dataclass(frozen=True)
class Mixture:
    """Voices by name with their weights; each row is brought to mean 0 and standard deviation 1
    first, because every voice has a unit of its own. ``stand_ins`` speak for products that nobody
    touched yet; ``blend`` ranks the best anew."""

    parts: Mapping[str, tuple[float, Voice]]
    blend: Blend | None = None
    stand_ins: StandIns | None = None
    source: str = "mixture"

    def scores(self, histories: Histories) -> Floats:
        """Some histories at a time: every voice's scores of all products are held at once."""
        found: list[Floats] = []
        for start in range(0, len(histories), BLOCK):
            part = histories[start : start + BLOCK]
            said = [voice.scores(part) for _, voice in self.parts.values()]
            found.append(self.combined(said, part))
        return np.concatenate(found) if found else np.zeros((0, 0), dtype=np.float32)

    def combined(self, said: Sequence[Floats], histories: Histories) -> Floats:
        """The scores (n, P) from what each part said of the histories, in order."""
        voiced = np.stack([standardised(scores) for scores in said])
        if self.stand_ins is not None:
            self.stand_ins.fill(voiced, [voice.source for _, voice in self.parts.values()])
        weights = np.array([weight for weight, _ in self.parts.values()], dtype=np.float32)
        total: Floats = np.einsum("knp,k->np", voiced, weights)
        if self.blend is None:
            return total
        return self.blend.anew(total, voiced, histories, self.peaked)

    @property
    def peaked(self) -> Voice | None:
        """The voice that is asked whether one touch speaks or many."""
        lists = (voice for _, voice in self.parts.values() if isinstance(voice, Lists))
        return next(lists, None)

    def shares(self, history: Sequence[Touch], products: Ints) -> Floats:
        said = [voice.scores([history])[0] for _, voice in self.parts.values()]
        return self.shares_of(said, history, products)

    def shares_of(self, said: Sequence[Floats], history: Sequence[Touch], products: Ints) -> Floats:
        """The shares where each part's scores (P,) of the history are at hand. By the fixed weights:
        what a network makes of them is no sum over touches."""
        found = [
            weight / max(float(scores.std()), SILENT) * voice.shares(history, products)
            for (weight, voice), scores in zip(self.parts.values(), said, strict=True)
        ]
        total: Floats = np.sum(found, axis=0, dtype=np.float32)
        return total


def space(voice: Voice, most: int = 128) -> Vectors | None:
    """One space of vectors (P, d) for looking up what is alike, by cosine; None where no voice has
    vectors. Of a mixture's, each part's first ``most`` dimensions stand side by side, loud as it is
    listened to."""
    if isinstance(voice, Vectors):
        return _of_length_one(voice)
    if not isinstance(voice, Mixture):
        return None
    if len(voice.parts) == 1:
        [(_, alone)] = voice.parts.values()
        return _of_length_one(alone) if isinstance(alone, Vectors) else None
    sides = []
    for weight, part in voice.parts.values():
        if isinstance(part, Vectors):
            rows = part.vectors[:, :most]
            sides.append(
                rows * np.sqrt(weight) / np.maximum(np.sqrt((rows**2).sum(1).mean()), SILENT)
            )
    if not sides:
        return None
    one = np.ones(len(sides[0]), dtype=np.float32)
    joined: Floats = np.concatenate(sides, axis=1).astype(np.float32)
    return Vectors(joined / lengths(joined), one, one, unit=True)


def _of_length_one(voice: Vectors) -> Vectors:
    """The same customers' directions over product vectors of length 1: popularity is no likeness."""
    long = lengths(voice.vectors)
    one = np.ones(len(long), dtype=np.float32)
    return replace(
        voice, vectors=voice.vectors / long, given=voice.given * long[:, 0], asked=one, unit=True
    )
