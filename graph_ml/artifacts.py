"""Artifacts on disk: the vectors that serve, and those that were judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from django.conf import settings

from cdp.domain.ranking import ProductSpace
from cdp.errors import CDPError


def folder(artifact: int) -> Path:
    path = Path(settings.ARTIFACTS) / "models" / f"{artifact:06}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def save(space: ProductSpace, path: Path) -> None:
    """Write atomically: a reader sees the whole file or none."""
    partial = path.with_suffix(".partial.npz")
    skus = np.array(list(space.skus), dtype=np.str_)
    np.savez(partial, skus=skus, vectors=space.vectors, fold_weights=space.fold_weights)
    partial.rename(path)


def load(path: Path) -> ProductSpace:
    """Read back what ``save`` wrote.

    Raises:
        CDPError: ``artifact_missing``.
    """
    if not path.is_file():
        raise CDPError("artifact_missing", f"{path} is gone")
    with np.load(path) as stored:
        return ProductSpace(stored["skus"].tolist(), stored["vectors"], stored["fold_weights"])
