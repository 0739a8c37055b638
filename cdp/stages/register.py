"""Register sources and API keys; a key is shown once and only its hash kept."""

from __future__ import annotations

from collections.abc import Iterable

from cdp.channels import Channel
from cdp.errors import CDPError
from cdp.models import ApiKey, Scope, Source, hash_key, new_key


def register_source(name: str, channel: str) -> tuple[Source, str]:
    """A source by its name, with a new write key (an existing source's key is replaced).

    Raises:
        CDPError: ``bad_channel``, or ``channel_differs`` when the source speaks on another.
    """
    if channel not in Channel.values:
        raise CDPError(
            "bad_channel", f"{channel} is none of {', '.join(Channel.values)}", field="channel"
        )
    key = new_key("wk")
    source, created = Source.objects.get_or_create(
        name=name, defaults={"channel": channel, "write_key_hash": hash_key(key)}
    )
    if source.channel != channel:
        raise CDPError(
            "channel_differs", f"{name} already speaks on {source.channel}", field="channel"
        )
    if not created:
        source.write_key_hash = hash_key(key)
        source.save(update_fields=["write_key_hash"])
    return source, key


def register_api_key(name: str, scopes: Iterable[str], channel: str = "") -> tuple[ApiKey, str]:
    """An API key by its name, with a new secret.

    Raises:
        CDPError: ``bad_scope``.
    """
    wanted = sorted(set(scopes))
    if unknown := [scope for scope in wanted if scope not in Scope.values]:
        raise CDPError("bad_scope", f"unknown scopes: {', '.join(unknown)}", field="scopes")
    key = new_key("ak")
    row, _ = ApiKey.objects.update_or_create(
        name=name, defaults={"key_hash": hash_key(key), "scopes": wanted, "channel": channel}
    )
    return row, key
