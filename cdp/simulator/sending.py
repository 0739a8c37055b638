"""Send the sample shop's messages over HTTP, with the official Segment SDK for Python."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from segment.analytics.client import Client

from cdp.errors import CDPError
from cdp.simulator.journeys import Message

QUEUE = 5000


def send(
    messages: Iterable[Message],
    write_keys: Mapping[str, str],
    host: str,
    advance: Callable[[int], None],
) -> int:
    """Deliver every message; returns how many.

    Raises:
        CDPError: ``not_delivered`` when the SDK gave a batch up.
    """
    lost: list[str] = []

    def on_error(error: Exception, batch: object) -> None:
        lost.append(str(error))

    clients = {
        source: Client(
            key, host=host, gzip=True, max_queue_size=QUEUE, on_error=on_error, upload_interval=0.2
        )
        for source, key in write_keys.items()
    }
    sent = 0
    for message in messages:
        client = clients[message.source]
        while client.queue.qsize() >= QUEUE - 1:
            time.sleep(0.02)
        _call(client, message)
        sent += 1
        advance(1)
    for client in clients.values():
        client.flush()
        client.join()
    if lost:
        raise CDPError("not_delivered", f"{len(lost)} batches were given up: {lost[0]}")
    return sent


def _call(client: Any, message: Message) -> None:
    shared = {
        "user_id": message.user_id, "anonymous_id": message.anonymous_id,
        "timestamp": message.at, "message_id": message.message_id,
        "context": dict(message.context),
    }  # fmt: skip
    if message.call == "identify":
        client.identify(traits=dict(message.body), **shared)
    else:
        client.track(event=message.event, properties=message.body, **shared)
