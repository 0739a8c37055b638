"""Does each store answer?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import redis
from django.conf import settings
from django.db import connection

from cdp.graph import session


def _postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _graph() -> None:
    session.ping()


def _valkey() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
        client.ping()


PROBES: Mapping[str, Callable[[], None]] = {
    "postgres": _postgres,
    "graph": _graph,
    "valkey": _valkey,
}


def stores() -> dict[str, str]:
    """Each store's name with ``ok`` or the first line of what went wrong."""
    state: dict[str, str] = {}
    for name, probe in PROBES.items():
        try:
            probe()
            state[name] = "ok"
        except Exception as error:  # noqa: BLE001 - any failure at all is the answer here
            state[name] = str(error).strip().split("\n")[0][:300] or type(error).__name__
    return state
