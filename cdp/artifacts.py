"""Artifacts on disk: what a model learned, as arrays that any process can rank with."""

from __future__ import annotations

import dataclasses
import hashlib
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
from cdp.domain.stand_in import StandIns
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


def encoder_digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def encoder_folder(name: str) -> Path:
    """Where a text encoder is kept as the web process reads it."""
    return Path(settings.ARTIFACTS) / "text" / encoder_digest(name)


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
    stand_ins = ranker.mixture.stand_ins
    if stand_ins is not None:
        arrays["new.places"] = stand_ins.places
        arrays |= _rows("new.by", stand_ins.by)
    lift = stand_ins.lift if stand_ins else None
    header = {
        "lift": lift,
        "format": FORMAT,
        "mixture": isinstance(ranker.voice, Mixture),
        "parts": parts,
    }
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, header=np.array(json.dumps(header)), **arrays)
    partial.rename(path)


def load(path: Path) -> Ranker:
    """Read back what ``save`` wrote.

    Raises:
        CDPError: ``artifact_missing`` (retryable: its folder may be mounted late), or ``artifact_unreadable`` (cut off, or of another version).
    """
    if not path.is_file():
        raise CDPError("artifact_missing", f"{path} is gone", retryable=True)
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
            blend, new = None, None
            if header["lift"] is not None:
                new = StandIns(
                    stored["new.places"], _matrix("new.by", stored), float(header["lift"])
                )
            if "blend.first" in stored:
                blend = Blend(
                    **{f.name: stored[f"blend.{f.name}"] for f in dataclasses.fields(Blend)}
                )
    except (BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
        raise CDPError("artifact_unreadable", f"{path}: {error}; learn again") from error
    if header["mixture"]:
        return Ranker(skus, Mixture(parts, blend, new))
    [(_, voice)] = parts.values()
    return Ranker(skus, voice)


def _rows(key: str, rows: sparse.csr_matrix) -> dict[str, Any]:
    return {
        f"{key}.data": rows.data, f"{key}.indices": rows.indices,
        f"{key}.indptr": rows.indptr, f"{key}.shape": np.array(rows.shape),
    }  # fmt: skip


def _matrix(key: str, stored: Any) -> sparse.csr_matrix:
    rows = tuple(stored[f"{key}.{name}"] for name in ("data", "indices", "indptr"))
    return sparse.csr_matrix(rows, shape=tuple(stored[f"{key}.shape"]))


def _described(voice: Voice, number: int, arrays: dict[str, Any]) -> dict[str, Any]:
    """The voice's plain fields; its arrays are added to ``arrays`` under its number."""
    plain: dict[str, Any] = {"kind": type(voice).__name__}
    for field in dataclasses.fields(voice):  # type: ignore[arg-type]  # every voice is one
        value = getattr(voice, field.name)
        key = f"{number}.{field.name}"
        if sparse.issparse(value):
            rows = value.tocsr()
            arrays |= _rows(key, rows)
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
            fields[field.name] = _matrix(key, stored)
    found: Voice = kind(**fields)
    return found
