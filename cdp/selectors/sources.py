"""Find sources and API keys by the hash of what was presented."""

from __future__ import annotations

from cdp.models import ApiKey, Source, hash_key


def source_by_key(write_key: str) -> Source | None:
    return Source.objects.filter(write_key_hash=hash_key(write_key)).first()


def api_key(key: str) -> ApiKey | None:
    return ApiKey.objects.filter(key_hash=hash_key(key), enabled=True).first()
