"""The text encoder of the web process: ONNX Runtime over what a worker exported; never torch."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime
from django.conf import settings
from tokenizers import Tokenizer

from cdp.artifacts import encoder_folder

MAX_TOKENS = 128


def encode(text: str) -> list[float] | None:
    """The unit vector (d,) of a text; None until a worker has exported the encoder."""
    folder = encoder_folder(settings.TEXT_ENCODER)
    model = folder / "model.onnx"
    if not model.is_file():
        return None
    session, tokenizer = _loaded(str(folder), model.stat().st_mtime_ns)
    told = tokenizer.encode(text)
    ids = np.array([told.ids], dtype=np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    [hidden] = session.run(None, inputs)
    mean = hidden[0].mean(axis=0)
    vector: list[float] = (mean / max(float(np.linalg.norm(mean)), 1e-9)).tolist()
    return vector


@lru_cache(maxsize=1)
def _loaded(folder: str, changed: int) -> tuple[Any, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = (
        1  # a query is short: more threads would only wait for each other
    )
    session = onnxruntime.InferenceSession(
        f"{folder}/model.onnx", options, ["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return session, tokenizer
