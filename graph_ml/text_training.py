"""Teach the text encoder a shop's own sense of likeness: what people chose next, and what they found.

Contrastive, with the rest of the batch as negatives (van den Oord et al. 2018; Henderson et al. 2017):
a customer is the unit sum of the vectors of the last few products they touched, as the text profile
has it, and the next product shall be nearer than the others'; a query shall be nearest to the product
that was chosen after it. Only the upper layers learn: the words' own meaning stays.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from cdp.errors import CDPError
from graph_ml.checkpoints import checkpoint, dice_state, set_dice
from graph_ml.dataset import POSITIVE, Query, Split, later_part
from graph_ml.device import half_precision
from graph_ml.metrics import Judged, K, judged, mean
from graph_ml.models.contract import ProductFeatures, Report
from graph_ml.models.text_profile import TextProfile
from graph_ml.text import BATCH, pooled

Floats = NDArray[np.float32]
MOST_ASKED = 1000  # customers that a state is judged by
FOUND = 10  # places in which a query's product counts as found


@dataclass(frozen=True)
class TextSettings:
    """``history``: the last products that stand for a customer; ``layers``: the upper ones that learn;
    ``rounds``: how often the state is judged, and the best kept; ``patience``: so many rounds without
    a better one end it."""

    steps: int = 300
    batch: int = 48
    history: int = 3
    layers: int = 3
    learning_rate: float = 5e-5
    temperature: float = 0.05
    rounds: int = 4
    patience: int = 2
    seed: int = 7


class Lesson(NamedTuple):
    """What stands for the asker (products, or words), and the product that answers."""

    given: tuple[int, ...]
    words: str
    answer: int


@dataclass(frozen=True)
class Taught:
    """The encoder in its best state (which may be its first) and how it came there: ``curve`` holds
    ``{"epoch", "loss", "ndcg"}`` of every round, ndcg@20 on the validation part."""

    model: nn.Module
    curve: list[dict[str, float]]
    better: bool


def lessons(data: Split, history: int) -> list[Lesson]:
    """Every step of every customer to a product they had not touched, and every query."""
    found = []
    for touches in data.histories:
        before: list[int] = []
        for touch in sorted(touches, key=lambda one: (one.at, one.product)):
            if touch.verb not in POSITIVE or touch.product in before:
                continue
            if before:
                found.append(Lesson(tuple(before[-history:]), "", touch.product))
            before.append(touch.product)
    return found + [Lesson((), query.text, query.product) for query in data.queries]


def teach(
    tokenizer: Any,
    model: nn.Module,
    texts: Sequence[str],
    data: Split,
    report: Report,
    settings: TextSettings | None = None,
) -> Taught:
    """A copy of ``model``, taught by ``data``'s past but for its last part, by which it is judged.

    Inside ``checkpoints.kept_in`` a killed training goes on after its last round.

    Raises:
        CDPError: ``nothing_to_learn`` where nobody touched two products and nothing was searched for.
    """
    return _Teaching(tokenizer, model, texts, data, report, settings or TextSettings()).run()


class _Teaching:
    def __init__(
        self,
        tokenizer: Any,
        model: nn.Module,
        texts: Sequence[str],
        data: Split,
        report: Report,
        settings: TextSettings,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.dice = np.random.default_rng(settings.seed)
        self.tokenizer, self.texts, self.settings, self.report = tokenizer, texts, settings, report
        self.model = copy.deepcopy(model)
        self.past = later_part(data, most=MOST_ASKED)
        known = set(self.past.queries)
        self.later = [query for query in data.queries if query not in known]
        self.lessons = lessons(self.past, settings.history)
        if not self.lessons:
            raise CDPError("nothing_to_learn", "nobody touched two products, nothing was searched")
        if not (self.past.targets or self.later):
            raise CDPError("nothing_to_learn", "there is nothing later to judge the encoder by")
        self.learning = _upper(self.model, settings.layers)
        self.optimiser = torch.optim.AdamW(self.learning.values(), lr=settings.learning_rate)
        self.curve: list[dict[str, float]] = []
        asked = [f"{query.text} {query.product} {query.at}" for query in data.queries]
        start = [part.detach().cpu().numpy() for part in self.model.parameters()]
        self.kept = checkpoint("text", asdict(settings), data, [*start, "\0".join(texts), *asked])
        self.most, self.best = -1.0, _copied(self.learning)
        self.first, self.waited = 0.0, 0

    def run(self) -> Taught:
        stored = self.kept.load()
        if stored is None:
            self.first = self.most = self._judged(self._untaught(), 0)
        else:
            self._restore(stored)
        settings = self.settings
        while len(self.curve) <= settings.rounds and self.waited < settings.patience:
            number = len(self.curve)
            done = [settings.steps * n // settings.rounds for n in (number - 1, number)]
            loss = self._steps(*done)
            found = self._judged(loss, number)
            self.waited += 1
            if found > self.most:
                self.most, self.best, self.waited = found, _copied(self.learning), 0
            self.kept.save(self._state())
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(self.best[name])
        return Taught(self.model.eval(), self.curve, self.most > self.first)

    def _untaught(self) -> float:
        """The loss of a batch before anything is learned: where the curve begins."""
        drawn = np.random.default_rng(self.settings.seed).integers(
            0, len(self.lessons), self.settings.batch
        )
        self.model.eval()
        with torch.no_grad():
            return self._loss([self.lessons[n] for n in drawn.tolist()]).item()

    def _steps(self, start: int, stop: int) -> float:
        """Learn from the batches of these numbers; the mean loss."""
        self.model.train()
        total = 0.0
        for step in range(start, stop):
            pace = 1 - step / self.settings.steps
            for group in self.optimiser.param_groups:
                group["lr"] = self.settings.learning_rate * pace
            drawn = self.dice.integers(0, len(self.lessons), self.settings.batch)
            loss = self._loss([self.lessons[n] for n in drawn.tolist()])
            if not torch.isfinite(loss):
                raise CDPError("not_a_number", f"the loss is {loss.item()}")
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            total += loss.item()
            if step % 25 == 24:
                self.report(f"step {step + 1}/{self.settings.steps} loss {total / (step - start + 1):.4f}")  # fmt: skip
        return total / max(1, stop - start)

    def _loss(self, batch: Sequence[Lesson]) -> Tensor:
        answers = [lesson.answer for lesson in batch]
        products = sorted({*answers, *(product for lesson in batch for product in lesson.given)})
        words = sorted({lesson.words for lesson in batch if lesson.words})
        with half_precision(next(self.model.parameters()).device):
            vectors = pooled(
                self.tokenizer, self.model, [*(self.texts[p] for p in products), *words]
            )
        place = {told: n for n, told in enumerate([*products, *words])}
        vectors = vectors.float()
        given = torch.zeros(len(batch), len(vectors), device=vectors.device)
        for row, lesson in enumerate(batch):
            for told in lesson.given or (lesson.words,):
                given[row, place[told]] = 1.0
        asking = normalize(given @ vectors)
        logits = asking @ vectors[[place[answer] for answer in answers]].T
        # Another's answer that is mine too, or that I had, is no wrong answer.
        same = torch.tensor(
            [[n != row and (other == lesson.answer or other in lesson.given) for n, other in enumerate(answers)]
             for row, lesson in enumerate(batch)], device=logits.device,
        )  # fmt: skip
        logits = (logits / self.settings.temperature).masked_fill(same, float("-inf"))
        found: Tensor = cross_entropy(logits, torch.arange(len(batch), device=logits.device))
        return found

    def _judged(self, loss: float, number: int) -> float:
        """Recall + ndcg of the later part by the text profile, and where there are queries, how many
        of the later ones find their product."""
        vectors = vectors_of(self.tokenizer, self.model, self.texts)
        told = profile_judged(vectors, self.past)
        recall, ndcg = mean(told.recall()), mean(told.ndcg())
        found = found_by_queries(self.tokenizer, self.model, vectors, self.later)
        said = f", {found:.4f} of {len(self.later)} queries find theirs" if self.later else ""
        self.report(f"round {number}/{self.settings.rounds}: loss {loss:.4f}, validation recall@{K} "
                    f"{recall:.4f} ndcg@{K} {ndcg:.4f}{said}")  # fmt: skip
        self.curve.append({"epoch": number, "loss": loss, "ndcg": ndcg})
        return recall + ndcg + found

    def _state(self) -> dict[str, Any]:
        return {
            "model": _copied(self.learning), "best": self.best, "optimiser": self.optimiser.state_dict(),
            "dice": dice_state(self.dice), "torch": torch.get_rng_state(), "curve": self.curve,
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "most": self.most, "first": self.first, "waited": self.waited,
        }  # fmt: skip

    def _restore(self, state: Mapping[str, Any]) -> None:
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(state["model"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        set_dice(self.dice, state["dice"])
        torch.set_rng_state(state["torch"])
        if state["cuda"]:  # what is dropped out is drawn on the device
            torch.cuda.set_rng_state_all(state["cuda"])
        self.curve, self.most, self.first = state["curve"], state["most"], state["first"]
        self.best, self.waited = state["best"], state["waited"]
        self.report(f"going on after round {len(self.curve) - 1} of a run that was cut off")


def vectors_of(tokenizer: Any, model: nn.Module, texts: Sequence[str]) -> Floats:
    """Unit vectors (n, d) by this model, equal texts read once."""
    model.eval()
    unique = sorted(set(texts), key=lambda text: (len(text), text))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(unique), BATCH):
            parts.append(
                pooled(tokenizer, model, unique[start : start + BATCH]).float().cpu().numpy()
            )
    place = {text: n for n, text in enumerate(unique)}
    found: Floats = np.concatenate(parts)[[place[text] for text in texts]]
    return found


def profile_judged(vectors: Floats, data: Split) -> Judged:
    """What the text profile of these product vectors shows whom the split asks."""
    profile = TextProfile()
    nothing = np.full(len(vectors), -1, dtype=np.int64)
    profile.learn(data, ProductFeatures(vectors, nothing, 1), lambda line: None)
    return judged(lambda batch: profile.scores([data.histories[n] for n in batch]), data)


def found_by_queries(
    tokenizer: Any, model: nn.Module, vectors: Floats, queries: Sequence[Query]
) -> float:
    """The share of queries whose product is among the ten nearest; 0 without queries."""
    if not queries:
        return 0.0
    asked = vectors_of(tokenizer, model, [query.text for query in queries])
    wanted = np.array([query.product for query in queries])
    found = 0
    for start in range(0, len(asked), BATCH):  # all of them at once would be queries × products
        near = asked[start : start + BATCH] @ vectors.T
        own = np.take_along_axis(near, wanted[start : start + BATCH, None], axis=1)
        found += int(((near > own).sum(axis=1) < FOUND).sum())
    return found / len(asked)


def _upper(model: nn.Module, count: int) -> dict[str, nn.Parameter]:
    """The parameters of the last ``count`` layers; the others are held."""
    whole: Any = model
    layers = whole.encoder.layer
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in layers[max(0, len(layers) - count) :]:
        for parameter in layer.parameters():
            parameter.requires_grad_(True)
    return {name: part for name, part in model.named_parameters() if part.requires_grad}


def _copied(parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in parameters.items()}
