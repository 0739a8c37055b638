"""Read rows of JSON Lines, Parquet and CSV files, a chunk at a time, keeping what is broken apart."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cdp.errors import CDPError

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".csv": "csv",
}


@dataclass(frozen=True)
class Broken:
    """A row that is no row: where, and why."""

    number: int
    reason: str
    raw: str


Row = dict[str, Any] | Broken


def format_of(path: Path) -> str:
    """``jsonl``, ``parquet`` or ``csv``, by the file's name.

    Raises:
        CDPError: ``no_such_file`` or ``unknown_format``.
    """
    if not path.is_file():
        raise CDPError("no_such_file", f"{path} is not a file", field="file")
    if path.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise CDPError("unknown_format", f"{path.name} ends in none of {known}", field="file")
    return FORMATS[path.suffix.lower()]


def fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def count(path: Path) -> int:
    """How many rows there are to read (for CSV and JSON Lines, how many lines)."""
    if format_of(path) == "parquet":
        return int(pq.ParquetFile(path).metadata.num_rows)
    with path.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return lines - (1 if format_of(path) == "csv" else 0)


def rows(path: Path) -> Iterator[Row]:
    kind = format_of(path)
    if kind == "parquet":
        for batch in pq.ParquetFile(path).iter_batches(batch_size=5000):
            yield from batch.to_pylist()
    elif kind == "csv":
        yield from _csv(path)
    else:
        yield from _jsonl(path)


def _jsonl(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode())
                yield (
                    value
                    if isinstance(value, dict)
                    else Broken(number, "not_an_object", line[:2000].decode(errors="replace"))
                )
            except (ValueError, RecursionError) as error:
                raw = line[:2000].decode(errors="replace").replace("\0", "\\0")
                yield Broken(number, f"not JSON: {error}"[:200], raw)


def _csv(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader = csv.reader(file)
        header = next(reader, None)
        if not header:
            raise CDPError("empty_file", f"{path.name} has no header line", field="file")
        while True:
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Broken(reader.line_num, f"not CSV: {error}", "")
                continue
            raw = ",".join(values)[:2000].encode("utf-8", "replace").decode().replace("\0", "\\0")
            if len(values) != len(header):
                reason = f"{len(values)} columns where the header has {len(header)}"
                yield Broken(reader.line_num, reason, raw)
            elif any("\udc80" <= char <= "\udcff" for value in values for char in value):
                yield Broken(reader.line_num, "not UTF-8", raw)
            else:
                yield dict(zip(header, values, strict=True))
