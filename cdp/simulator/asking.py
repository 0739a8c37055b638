"""Every channel asks for its customers over GraphQL, as its app would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from cdp.errors import CDPError
from cdp.models import Event, Identifier

QUERY = """
query Ask($kind: String!, $value: String!) {
  customer(identifier: {kind: $kind, value: $value}) {
    id
    traits { key value }
    recommendations(first: 10) {
      personal
      items { rank reason product { sku title content { text facts } } }
    }
  }
}
"""


@dataclass(frozen=True)
class Question:
    """A channel asks for a customer by an identifier that it has itself seen."""

    channel: str
    kind: str
    value: str


def questions(customers: Iterable[int], channels: Iterable[str]) -> list[Question]:
    """For each customer and channel, the first identifier that the channel knows them by."""
    asked: list[Question] = []
    members: dict[int, dict[int, Identifier]] = {}
    rows = Identifier.objects.filter(customer_id__in=list(customers), shared=False)
    for row in rows.order_by("id"):
        assert row.customer_id is not None
        members.setdefault(row.customer_id, {})[row.id] = row
    wanted = set(channels)
    for mine in members.values():
        events = Event.objects.filter(identifiers__overlap=list(mine), channel__in=wanted)
        known: dict[str, Identifier] = {}
        for channel, ids in events.order_by("id").values_list("channel", "identifiers"):
            own = [mine[id_] for id_ in ids if id_ in mine]
            if channel not in known and own:
                known[channel] = own[0]
        if len(known) > 1:
            asked += [
                Question(channel, row.kind, row.value) for channel, row in sorted(known.items())
            ]
    return asked


def ask(
    asked: list[Question], keys: Mapping[str, str], url: str, advance: Callable[[int], None]
) -> list[float]:
    """Send the questions over four connections; returns each answer's milliseconds.

    Raises:
        CDPError: ``bad_answer`` when one is not answered as it should be.
    """

    def one(question: Question) -> float:
        started = time.monotonic()
        variables = {"kind": question.kind, "value": question.value}
        response = session.post(
            url, json={"query": QUERY, "variables": variables}, timeout=30,
            headers={"Authorization": f"Bearer {keys[question.channel]}"},
        )  # fmt: skip
        body = response.json()
        if response.status_code != 200 or body.get("errors") or not body["data"]["customer"]:
            raise CDPError("bad_answer", f"{question}: {response.text[:500]}")
        advance(1)
        return (time.monotonic() - started) * 1000

    with requests.Session() as session, ThreadPoolExecutor(4) as pool:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=4))
        return list(pool.map(one, asked))
