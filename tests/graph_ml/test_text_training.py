"""The encoder is taught what goes together in this shop, and only what is better is kept."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from cdp import pipeline
from cdp.domain.listing import Listing
from cdp.domain.ranking import Touch
from cdp.errors import CDPError
from cdp.models import Artifact, Source
from cdp.stages.catalogue import write_products
from graph_ml import text_training
from graph_ml.checkpoints import kept_in
from graph_ml.dataset import Query, Split, positive
from graph_ml.metrics import mean
from graph_ml.text import encode, encoder
from graph_ml.text_run import learn_text
from graph_ml.text_training import (
    Lesson,
    TextSettings,
    found_by_queries,
    lessons,
    profile_judged,
    teach,
    vectors_of,
)
from tests.conftest import Sent, track

# Two tastes of eight products: the words of each are of two worlds, so that words alone mislead.
GREEN = ["tent", "sleeping bag", "camping stove", "rucksack", "violin", "cello", "flute", "drum"]
RED = ["hammock", "torch", "compass", "canteen", "piano", "guitar", "harp", "trumpet"]
TEXTS = [*GREEN, *RED]
SMALL = TextSettings(steps=24, batch=32, layers=2, learning_rate=3e-4, rounds=2)


def shop(customers: int = 60, queries: bool = False) -> Split:
    """Everybody of one taste touches six of its products, and wants the other two."""
    dice = np.random.default_rng(3)
    histories, targets = [], {}
    for customer in range(customers):
        own = dice.permutation(8) + 8 * (customer % 2)
        histories.append([Touch(int(p), "viewed", n) for n, p in enumerate(own[:6])])
        targets[customer] = frozenset(int(p) for p in own[6:])
    asked = [Query(["for the green", "for the red"][p // 8], p, p % 5) for p in range(16)] if queries else []  # fmt: skip
    names = [f"c{n}" for n in range(customers)]
    skus = [f"p{n:02}" for n in range(16)]
    return Split(names, skus, histories, targets, positive(histories, 16), queries=asked * 4)


@pytest.fixture(scope="module")
def start() -> Any:
    from django.conf import settings

    return encoder(settings.TEXT_ENCODER)


def test_lessons_are_the_steps_to_new_products_and_the_queries() -> None:
    history = [Touch(0, "viewed", 1), Touch(1, "viewed", 2), Touch(0, "added", 3), Touch(2, "returned", 4), Touch(3, "purchased", 5), Touch(4, "viewed", 6)]  # fmt: skip
    data = Split(["a"], list("vwxyz"), [history], {}, positive([history], 5), queries=[Query("q", 2, 1)])  # fmt: skip
    assert lessons(data, 2) == [
        Lesson((0,), "", 1), Lesson((0, 1), "", 3), Lesson((1, 3), "", 4), Lesson((), "q", 2)
    ]  # fmt: skip


def test_it_learns_what_goes_together_and_leaves_the_first_encoder_alone(start: Any) -> None:
    tokenizer, model = start
    data, said = shop(), []
    before = vectors_of(tokenizer, model, TEXTS)
    taught = teach(tokenizer, model, TEXTS, data, said.append, SMALL)
    assert taught.better and [round_["epoch"] for round_ in taught.curve] == [0, 1, 2]
    np.testing.assert_array_equal(vectors_of(tokenizer, model, TEXTS), before)
    after = vectors_of(tokenizer, taught.model, TEXTS)
    # Sixteen products and six had: the first two places say whether it knows the taste.
    first, then = (mean(profile_judged(v, data).recall(2)) for v in (before, after))
    assert then > 0.9 > first
    held = [name for name, part in taught.model.named_parameters() if not part.requires_grad]
    assert any("layer.0" in name for name in held) and any("embeddings" in name for name in held)


def test_queries_teach_too(start: Any) -> None:
    tokenizer, model = start
    data = shop(customers=4, queries=True)
    first, later = vectors_of(tokenizer, model, TEXTS), list(data.queries)
    taught = teach(tokenizer, model, TEXTS, data, lambda line: None, SMALL)
    after = vectors_of(tokenizer, taught.model, TEXTS)
    assert found_by_queries(tokenizer, taught.model, after, later) > found_by_queries(
        tokenizer, model, first, later
    )
    assert found_by_queries(tokenizer, model, first, []) == 0.0


def test_a_killed_training_goes_on_after_its_last_round(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    tokenizer, model = start
    whole = teach(tokenizer, model, TEXTS, shop(), lambda line: None, SMALL)

    class Killed(BaseException):
        pass

    def dies(self: Any, *args: Any) -> float:
        if self.curve[-1]["epoch"] == 1:
            raise Killed
        return steps(self, *args)

    steps = text_training._Teaching._steps
    monkeypatch.setattr(text_training._Teaching, "_steps", dies)
    with kept_in(tmp_path), pytest.raises(Killed):
        teach(tokenizer, model, TEXTS, shop(), lambda line: None, SMALL)
    monkeypatch.undo()
    torch.rand(3)
    said: list[str] = []
    with kept_in(tmp_path):
        resumed = teach(tokenizer, model, TEXTS, shop(), said.append, SMALL)
    assert said[0].startswith("going on after round 1")
    assert resumed.curve == whole.curve
    np.testing.assert_array_equal(
        vectors_of(tokenizer, resumed.model, TEXTS), vectors_of(tokenizer, whole.model, TEXTS)
    )


def test_another_encoder_s_state_is_not_gone_on_with(start: Any, tmp_path: Path) -> None:
    """Nor that of other texts: the same events, and yet another training."""
    tokenizer, model = start
    other = copy.deepcopy(model)
    with torch.no_grad():
        next(other.encoder.layer[-1].parameters()).mul_(1.01)
    with kept_in(tmp_path):
        teach(tokenizer, model, TEXTS, shop(), lambda line: None, SMALL)
        for encoder_, texts in ((other, TEXTS), (model, TEXTS[::-1])):
            said: list[str] = []
            teach(tokenizer, encoder_, texts, shop(), said.append, SMALL)
            assert said[0].startswith("round 0")


def test_nothing_to_judge_by_is_said(start: Any) -> None:
    """Everybody acted at one moment, so that nothing is later: what is drawn needs five products."""
    histories = [[Touch(0, "viewed", 1), Touch(1, "viewed", 1)]]
    data = Split(["a"], ["x", "y"], histories, {}, positive(histories, 2))
    with pytest.raises(CDPError, match="nothing later to judge"):
        teach(*start, ["tent", "bag"], data, lambda line: None, SMALL)


def test_nothing_to_learn_from_is_said(start: Any) -> None:
    histories = [[Touch(0, "viewed", 1)]]
    data = Split(["a"], ["x"], histories, {}, positive(histories, 1))
    with pytest.raises(CDPError, match="nothing_to_learn"):
        teach(*start, ["tent"], data, lambda line: None, SMALL)


@pytest.fixture
def big_shop(graph: str, web: Source, send: Sent, settings: Any, tmp_path: Path) -> None:
    """Four sizes of each: everybody touches twelve of the thirty-two of their taste, then six more."""
    settings.ARTIFACTS = tmp_path
    titles = [f"{size} {text}" for text in TEXTS for size in ("small", "large", "used", "light")]
    write_products([Listing(sku=f"p{n:02}", title=text) for n, text in enumerate(titles)], "test")
    dice = np.random.default_rng(5)
    events = [
        track(f"m{who}-{place}", "Product Viewed", 30 * place + who % 20, userId=f"u{who}",
              properties={"sku": f"p{product + 32 * (who % 2):02}"})
        for who in range(80)
        for place, product in enumerate(dice.permutation(32)[:18].tolist())
    ]  # fmt: skip
    send(web, *events, minutes=3000)
    pipeline.drain()


@pytest.mark.graph
@pytest.mark.django_db(transaction=True)
def test_the_command_keeps_a_better_encoder_and_says_how_to_use_it(
    big_shop: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("train", "text", steps=40)
    out = capsys.readouterr().out
    row = Artifact.objects.get(model="text encoder")
    assert row.metrics["recall@20"] > row.metrics["before recall@20"] + 0.05
    assert row.status == "measured" and f"UNISON_TEXT_ENCODER={row.path}" in out
    assert row.curve and row.cost["cpu_seconds"] > 0
    before = encode(["small tent"])
    settings.TEXT_ENCODER = row.path
    assert encode(["small tent"]).shape == before.shape
    assert not np.allclose(encode(["small tent"]), before, atol=1e-3)


@pytest.mark.graph
@pytest.mark.django_db(transaction=True)
def test_an_encoder_that_learned_nothing_is_refused(big_shop: None, tmp_path: Path) -> None:
    found = learn_text(lambda line: None, TextSettings(steps=4, learning_rate=0.0))
    assert (found.row.status, found.row.path) == ("refused", "")
    assert found.row.reason.startswith("no round was better")
    assert [one["epoch"] for one in found.row.curve] == [0, 1, 2]  # two rounds without a better one
    assert not (tmp_path / "encoders").exists()
    assert not list((tmp_path / "runs").glob("text/*"))  # no state stays


def test_steps_belong_to_text(settings: Any) -> None:
    for what, steps in (("graphsage", 9), ("text", 3)):
        with pytest.raises(CommandError, match="--steps"):
            call_command("train", what, steps=steps)
    for flags, said in (({"tune": 3}, "--tune"), ({"windows": 2}, "--windows")):
        with pytest.raises(CommandError, match=said):
            call_command("train", "text", **flags)
