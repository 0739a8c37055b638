"""What recommenders share whose few settings are chosen on the last part of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from cdp.domain.ranking import Touch
from cdp.domain.voices import Voice
from graph_ml.dataset import Split, later_part
from graph_ml.models.contract import ProductFeatures, Report, Scores
from graph_ml.models.settings import choose_one_by_one


class Tuned(ABC):
    """``GRID``: the values that are tried of each of ``parameters_used``."""

    name: str
    GRID: ClassVar[Mapping[str, Sequence[float]]]
    parameters_used: dict[str, Any]

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self.tune(later_part(data), features, report)
        self.learn(data, features, report)

    def tune(self, past: Split, features: ProductFeatures, report: Report) -> None:
        """Choose the settings by what ``past`` asks for; afterwards it has learned from ``past``."""
        self.learn(past, features, report)
        choose_one_by_one(self, self.GRID, past, report, lambda: self.prepare(past))

    def prepare(self, data: Split) -> None:  # noqa: B027 (a hook that few need)
        """Learn anew what depends on settings that changed; mostly nothing does."""

    @abstractmethod
    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None: ...

    @abstractmethod
    def voice(self) -> Voice: ...

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)
