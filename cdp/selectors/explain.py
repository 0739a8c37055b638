"""Why are two identifiers one customer, or why not? A path of links, each with an event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from django.db.models import Q

from cdp.domain.identifiers import Key
from cdp.domain.partition import LINKED
from cdp.errors import CDPError
from cdp.models import Assertion, Event, Identifier, Link, Match, Verdict
from cdp.selectors.customers import by_identifiers, normalised

WIDEST = 5000
Tie = Link | Match | Assertion
REASONS = {
    "shared": "shared by too many people to join anybody",
    "shop_owned": "the shop's own",
    "expired": "not seen together for too long",
    "unlike": "their other records do not agree",
    "cannot_link": "somebody said that they never are one customer",
}


@dataclass(frozen=True)
class Step:
    """Two identifiers seen together, an event in which they were, and the verdict; or asserted to
    be one; or two records that match (``weight`` in bits)."""

    a: Identifier
    b: Identifier
    event: Event | None
    count: int
    verdict: str = LINKED
    assertion: Assertion | None = None
    weight: float | None = None

    def __str__(self) -> str:
        if self.assertion is not None:
            word = self.assertion
            return f"{self.a} – {self.b}: {word.actor} asserted it: {word.reason}"
        refused = "" if self.verdict == LINKED else f"; REFUSED: {told(self.verdict)}"
        if self.weight is not None:
            return f"{self.a} – {self.b}: match of {self.weight:.1f} bits{refused}"
        event = self.event
        shown = (
            f"{event.type} {event.name} of {event.occurred_at:%Y-%m-%d}" if event else "an event"
        )
        return f"{self.a} – {self.b}: {shown} (seen together {self.count} times){refused}"


@dataclass(frozen=True)
class Explanation:
    """``one``: are they one customer? ``steps`` lead from one to the other; where they are two
    customers the refused steps among them are what keeps them apart."""

    one: bool
    customers: tuple[object, ...]
    reason: str
    steps: list[Step] = field(default_factory=list)


def told(verdict: str) -> str:
    """A verdict in words: ``limit:user_id`` is more than one customer may hold."""
    if verdict.startswith("limit:"):
        return f"one customer may not hold both {verdict.partition(':')[2]}s"
    return REASONS.get(verdict, verdict)


def explain(a: Key, b: Key) -> Explanation:
    """
    Raises:
        CDPError: ``no_such_identifier`` naming the one that was never seen.
    """
    found = by_identifiers([a, b])
    for key, name in ((a, "a"), (b, "b")):
        if key not in found:
            raise CDPError(
                "no_such_identifier", f"{key.kind} {key.value} was never seen", field=name
            )
    one, two = found[a], found[b]
    if one.customer == two.customer:
        steps = path(one.identifier.id, two.identifier.id)
        return Explanation(True, (one.customer,), "", steps)
    customers = (one.customer, two.customer)
    word = _word(one.identifier.id, two.identifier.id)
    steps = _between(one.identifier.id, two.identifier.id)
    refused = sorted({told(step.verdict) for step in steps if step.verdict != LINKED})
    if word is not None:
        reason = f"{word.actor} asserted that they never are one: {word.reason}"
    elif steps:
        reason = "the way between them is refused: " + "; ".join(refused)
    else:
        reason = "nothing was ever seen that connects them"
    return Explanation(False, customers, reason, steps)


def explain_raw(a: tuple[str, str], b: tuple[str, str], region: str) -> Explanation:
    """The same for (kind, raw value) pairs.

    Raises:
        CDPError: ``bad_identifier``, ``no_such_identifier``.
    """
    return explain(normalised(*a, region), normalised(*b, region))


def path(start: int, end: int) -> list[Step]:
    """The steps from one identifier to another of the same customer; empty when there are none."""
    members = set(_members(start))
    if end not in members:
        return []
    inside = Q(a_id__in=members) & Q(b_id__in=members)
    links: list[Tie] = [*Link.objects.filter(inside, verdict=LINKED)]
    links += Match.objects.filter(inside, verdict=LINKED)
    links += Assertion.objects.filter(inside, retracted_at=None, verdict=Verdict.MUST_LINK)
    came = _walk(start, end, links)
    return _steps(came, end)


def _word(a: int, b: int) -> Assertion | None:
    low, high = sorted((a, b))
    return Assertion.objects.filter(
        a_id=low, b_id=high, verdict=Verdict.CANNOT_LINK, retracted_at=None
    ).first()


def _between(start: int, end: int) -> list[Step]:
    """The shortest way along all links, refused ones and people's words too, a ring at a time and
    not for ever."""
    came: dict[int, Tie | None] = {start: None}
    ring = {start}
    while ring and end not in came and len(came) < WIDEST:
        touching = Q(a_id__in=ring) | Q(b_id__in=ring)
        near = Link.objects.filter(touching).order_by("a_id", "b_id")
        alike = Match.objects.filter(touching).exclude(verdict="review").order_by("a_id", "b_id")
        words = Assertion.objects.filter(
            touching, retracted_at=None, verdict=Verdict.MUST_LINK
        ).order_by("a_id", "b_id")
        after: set[int] = set()
        ties: list[Tie] = [*words[:WIDEST], *near[:WIDEST], *alike[:WIDEST]]
        for link in ties:
            for here, other in ((link.a_id, link.b_id), (link.b_id, link.a_id)):
                if here in ring and other not in came:
                    came[other] = link
                    after.add(other)
        ring = after
    return _steps(came, end) if end in came else []


def _walk(start: int, end: int, links: list[Tie]) -> dict[int, Tie | None]:
    near: dict[int, list[Tie]] = {}
    for link in sorted(links, key=lambda link: (link.a_id, link.b_id)):
        near.setdefault(link.a_id, []).append(link)
        near.setdefault(link.b_id, []).append(link)
    came: dict[int, Tie | None] = {start: None}
    queue = deque([start])
    while queue and end not in came:
        here = queue.popleft()
        for link in near.get(here, []):
            other = link.b_id if link.a_id == here else link.a_id
            if other not in came:
                came[other] = link
                queue.append(other)
    return came


def _members(identifier: int) -> list[int]:
    row = Identifier.objects.filter(id=identifier, customer__isnull=False).first()
    if row is None or row.customer_id is None:
        return []
    return list(Identifier.objects.filter(customer_id=row.customer_id).values_list("id", flat=True))


def _steps(came: dict[int, Tie | None], end: int) -> list[Step]:
    if end not in came:
        return []
    pairs: list[tuple[int, int, Tie]] = []
    here = end
    while (link := came[here]) is not None:
        before = link.a_id if link.b_id == here else link.b_id
        pairs.append((before, here, link))
        here = before
    rows = Identifier.objects.in_bulk({id_ for a, b, _ in pairs for id_ in (a, b)})
    return [_step(rows[a], rows[b], link) for a, b, link in reversed(pairs)]


def _step(a: Identifier, b: Identifier, link: Tie) -> Step:
    if isinstance(link, Assertion):
        return Step(a, b, None, 0, assertion=link)
    if isinstance(link, Match):
        return Step(a, b, None, 0, link.verdict, weight=link.weight)
    together = Event.objects.filter(identifiers__contains=[a.pk, b.pk])
    return Step(a, b, together.order_by("occurred_at").first(), link.count, link.verdict)
