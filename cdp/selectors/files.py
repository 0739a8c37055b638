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

MOST_LINES = 100
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


def fingerprint(path: Path, reading: object = None) -> str:
    """SHA-256 of the file and of how it is read: read otherwise, it is another import."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    if reading:
        digest.update(json.dumps(reading, sort_keys=True).encode())
    return digest.hexdigest()


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
    """Record by record: a quote that is never closed costs its own line, not the rest of the file."""
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = _Lines(file)
        header = _record(lines)
        if not isinstance(header, list) or not header:
            raise CDPError("empty_file", f"{path.name} has no header line", field="file")
        while (values := _record(lines)) is not None:
            if isinstance(values, Broken):
                yield values
                continue
            raw = ",".join(values)[:2000].encode("utf-8", "replace").decode().replace("\0", "\\0")
            if len(values) != len(header):
                reason = f"{len(values)} columns where the header has {len(header)}"
                yield Broken(lines.number, reason, raw)
            elif any("\udc80" <= char <= "\udcff" for value in values for char in value):
                yield Broken(lines.number, "not UTF-8", raw)
            else:
                yield dict(zip(header, values, strict=True))


class _Lines:
    """Lines with look-ahead; ``number`` is that of the last one taken."""

    def __init__(self, file: Iterator[str]) -> None:
        self.file = file
        self.ahead: list[str] = []
        self.number = 0

    def peek(self, count: int) -> list[str]:
        while len(self.ahead) < count and (line := next(self.file, None)) is not None:
            self.ahead.append(line)
        return self.ahead[:count]

    def take(self, count: int) -> None:
        del self.ahead[:count]
        self.number += count


def _record(lines: _Lines) -> list[str] | Broken | None:
    """The next record, of at most ``MOST_LINES`` lines; a line that begins none is broken."""
    reason = ""
    for span in range(1, MOST_LINES + 1):
        part = lines.peek(span)
        if not part:
            return None
        if len(part) < span:
            break
        try:
            values = next(csv.reader(part, strict=True), [])
        except csv.Error as error:
            reason = str(error)
            if "unexpected end of data" in reason:
                continue
            break
        lines.take(span)
        return values
    first = lines.peek(1)[0]
    lines.take(1)
    raw = first[:2000].encode("utf-8", "replace").decode().replace("\0", "\\0")
    return Broken(lines.number, f"not CSV: {reason}", raw)
