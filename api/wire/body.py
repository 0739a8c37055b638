"""Read a request body whatever its content type says; bounded before and after decompression."""

from __future__ import annotations

import json
import zlib

from django.http import HttpRequest

from cdp.domain.soundness import UnreadableNumber
from cdp.errors import CDPError

MAX_BODY = 4 * 1024 * 1024
MAX_NUMBER_DIGITS = 300
MAX_MEMBERS = 16


def read_json(request: HttpRequest) -> object:
    """The JSON value of the body.

    Raises:
        CDPError: ``body_too_large``, ``bad_gzip``, ``json_too_deep`` or ``invalid_json``.
    """
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > MAX_BODY:
        raise _too_large()
    raw = request.read(MAX_BODY + 1)
    if len(raw) > MAX_BODY:
        raise _too_large()
    if "gzip" in request.headers.get("Content-Encoding", "").lower():
        raw = gunzip(raw)
    return parse_json(raw)


def gunzip(raw: bytes) -> bytes:
    """Decompress at most MAX_BODY bytes of a few members; a bomb is never expanded."""
    out = bytearray()
    try:
        for _ in range(MAX_MEMBERS):
            if not raw:
                break
            stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            out += stream.decompress(raw, MAX_BODY + 1 - len(out))
            if len(out) > MAX_BODY or stream.unconsumed_tail:
                raise _too_large()
            if not stream.eof:
                raise CDPError("bad_gzip", "the gzip body ends too early")
            raw = stream.unused_data
        else:
            if raw:
                raise CDPError("bad_gzip", f"more than {MAX_MEMBERS} gzip members")
    except zlib.error as error:
        raise CDPError("bad_gzip", f"the body is not gzip: {error}") from error
    return bytes(out)


def parse_json(raw: bytes) -> object:
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_int=_integer)
    except RecursionError as error:
        raise CDPError("json_too_deep", "the JSON is nested too deeply") from error
    except ValueError as error:
        raise CDPError("invalid_json", f"the body is not JSON: {error}") from error


def _integer(digits: str) -> int | UnreadableNumber:
    """An integer of sane length; a longer one keeps its digits, and validation refuses it."""
    return int(digits) if len(digits) <= MAX_NUMBER_DIGITS else UnreadableNumber(digits)


def _too_large() -> CDPError:
    return CDPError("body_too_large", f"a body may have at most {MAX_BODY} bytes, unpacked too")
