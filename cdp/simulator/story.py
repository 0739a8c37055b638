"""One person's story: which strangers became one customer, why, and what they are offered."""

from __future__ import annotations

from collections.abc import Iterator

from cdp.domain.identifiers import Key
from cdp.models import Event, Identifier
from cdp.selectors import customers, explain
from cdp.selectors.products import by_skus
from cdp.selectors.slates import slates_of


def tell(key: Key) -> Iterator[str]:
    """The lines of the story of the customer that an identifier belongs to."""
    found = customers.by_identifiers([key]).get(key)
    if found is None:
        yield f"nobody is known by {key.kind} {key.value}"
        return
    customer, start = found.customer, found.identifier
    members = customers.identifiers_of([customer.id]).get(customer.id, [])
    yield f"customer {customer.public_id}: {len(members)} identifiers that were strangers to each other"
    for row in members:
        yield f"  {row.kind:14} {row.value:34} seen on {', '.join(_channels(row))}{_why(start, row)}"
    profile = customers.profiles_of([customer.id]).get(customer.id)
    if profile:
        yield "profile: " + "; ".join(
            f"{key} = {trait['value']} ({trait['channel']})"
            for key, trait in sorted(profile.traits.items())
        )
        for channel, verbs in sorted(profile.counters.items()):
            counted = ", ".join(f"{n['events']} {verb}" for verb, n in sorted(verbs.items()))
            yield f"  on {channel}: {counted}"
    yield from _suggestions(customer.id)


def _suggestions(customer: int) -> Iterator[str]:
    slate = slates_of([customer]).get(customer)
    if slate is None:
        yield "suggestions: none yet"
        return
    items = slate.items[:5]
    titles = by_skus({i["sku"] for i in items} | {i["reason"].get("sku", "") for i in items})
    yield f"suggestions, the same on every channel (by {slate.artifact.model}):"
    for rank, item in enumerate(items, 1):
        reason = item["reason"]
        source = titles.get(reason.get("sku", ""))
        because = f"because of {reason['verb']} {source.title}" if source else reason["text"]
        yield f"  {rank}. {titles[item['sku']].title} – {because}"


def _channels(row: Identifier) -> list[str]:
    events = Event.objects.filter(identifiers__contains=[row.id])
    return sorted(set(events.values_list("channel", flat=True)))


def _why(start: Identifier, row: Identifier) -> str:
    steps = explain.path(start.id, row.id)
    if not steps:
        return ""
    last = steps[-1]
    at = f"{last.event.occurred_at:%d %b}" if last.event else "?"
    name = (last.event.name or last.event.type) if last.event else "?"
    return f"; with {last.a.kind} {last.a.value} in {name!r} on {at}"
