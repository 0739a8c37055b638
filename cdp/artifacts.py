"""Artifacts on disk: what a model learned, as arrays that any process can rank with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from django.conf import settings
from scipy import sparse

from cdp.domain.blending import Blend
from cdp.domain.mixing import Mixture
from cdp.domain.slates import Ranker
from cdp.domain.voices import Counts, Lists, Neighbours, Vectors, Voice
from cdp.errors import CDPError

KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (Counts, Lists, Neighbours, Vectors)
}
FORMAT = 2


def folder(artifact: int) -> Path:
    path = Path(settings.ARTIFACTS) / "models" / f"{artifact:06}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def save(ranker: Ranker, path: Path) -> None:
    """Write atomically: a reader sees the whole file or none."""
    arrays: dict[str, Any] = {"skus": np.array(list(ranker.skus), dtype=np.str_)}
    parts: list[dict[str, Any]] = []
    for name, (weight, voice) in ranker.mixture.parts.items():
        parts.append({"name": name, "weight": weight, **_described(voice, len(parts), arrays)})
    blend = ranker.mixture.blend
    if blend is not None:
        arrays |= {
            f"blend.{field.name}": getattr(blend, field.name) for field in dataclasses.fields(blend)
        }
    header = {"format": FORMAT, "mixture": isinstance(ranker.voice, Mixture), "parts": parts}
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, header=np.array(json.dumps(header)), **arrays)
    partial.rename(path)


def load(path: Path) -> Ranker:
    """Read back what ``save`` wrote.

    Raises:
        CDPError: ``artifact_missing``, or ``artifact_unreadable`` (cut off, or of another version).
    """
    if not path.is_file():
        raise CDPError("artifact_missing", f"{path} is gone")
    try:
        with np.load(path) as stored:
            header = json.loads(str(stored["header"]))
            if header["format"] != FORMAT:
                raise ValueError(f"format {header['format']} is not {FORMAT}")
            parts = {
                part["name"]: (float(part["weight"]), _restored(part, n, stored))
                for n, part in enumerate(header["parts"])
            }
            skus = stored["skus"].tolist()
            blend = None
            if "blend.first" in stored:
                blend = Blend(
                    **{f.name: stored[f"blend.{f.name}"] for f in dataclasses.fields(Blend)}
                )
    except (BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
        raise CDPError("artifact_unreadable", f"{path}: {error}; learn again") from error
    if header["mixture"]:
        return Ranker(skus, Mixture(parts, blend))
    [(_, voice)] = parts.values()
    return Ranker(skus, voice)


def _described(voice: Voice, number: int, arrays: dict[str, Any]) -> dict[str, Any]:
    """The voice's plain fields; its arrays are added to ``arrays`` under its number."""
    plain: dict[str, Any] = {"kind": type(voice).__name__}
    for field in dataclasses.fields(voice):  # type: ignore[arg-type]  # every voice is one
        value = getattr(voice, field.name)
        key = f"{number}.{field.name}"
        if sparse.issparse(value):
            rows = value.tocsr()
            arrays |= {
                f"{key}.data": rows.data, f"{key}.indices": rows.indices,
                f"{key}.indptr": rows.indptr, f"{key}.shape": np.array(rows.shape),
            }  # fmt: skip
        elif isinstance(value, np.ndarray):
            arrays[key] = value
        else:
            plain[field.name] = value
    return plain


def _restored(part: Mapping[str, Any], number: int, stored: Any) -> Voice:
    kind = KINDS[part["kind"]]
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        key = f"{number}.{field.name}"
        if field.name in part:
            fields[field.name] = part[field.name]
        elif key in stored:
            fields[field.name] = stored[key]
        else:
            rows = tuple(stored[f"{key}.{name}"] for name in ("data", "indices", "indptr"))
            fields[field.name] = sparse.csr_matrix(rows, shape=tuple(stored[f"{key}.shape"]))
    found: Voice = kind(**fields)
    return found
