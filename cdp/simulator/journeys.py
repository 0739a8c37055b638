"""What the people do: sessions on five channels and the CRM, with the hazards of real ones.

Hazards: kiosks and tills used by everybody, a family tablet, junk values, a desk's e-mail typed in
for customers without one, late and repeated messages, returns, people who refuse.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cdp.domain.listing import Listing
from cdp.simulator.people import Person, Town

DAYS = 60
JUNK_EMAILS = ("null@example.com", "test@test.com", "none@none.com", "noemail@noemail.com")
JUNK_PHONES = ("0000000000", "1111111111", "555-555-5555")
CHANNELS = ("web", "app", "social", "store", "email")
SHARES = (0.36, 0.27, 0.09, 0.16, 0.12)


@dataclass(frozen=True)
class Message:
    """One message as a channel's SDK sends it, and whose it truly is."""

    source: str
    call: str
    person: int
    at: datetime
    message_id: str
    user_id: str | None
    anonymous_id: str
    event: str
    body: dict[str, Any]
    context: dict[str, Any]


class Journeys:
    """Everything that happens in a town in ``DAYS`` days before ``now``; seeded."""

    def __init__(
        self,
        town: Town,
        catalogue: Sequence[Listing],
        now: datetime,
        sessions: float,
        seed: int = 3,
    ) -> None:
        self.town = town
        self.catalogue = catalogue
        self.now = now
        self.sessions = sessions
        self.dice = random.Random(seed)
        self.count = 0
        self.by_category: dict[str, list[Listing]] = {}
        for item in catalogue:
            self.by_category.setdefault(item.category, []).append(item)
        self.categories = list(self.by_category)

    def messages(self) -> list[Message]:
        """In order of sending: by time, but some late and some sent twice."""
        made = [m for person in self.town.people for m in self._life(person)]
        made.sort(key=lambda m: (m.at, m.message_id))
        late = {n for n in range(len(made)) if self.dice.random() < 0.02}
        again = [made[n] for n in range(len(made)) if self.dice.random() < 0.02]
        return (
            [m for n, m in enumerate(made) if n not in late]
            + [made[n] for n in sorted(late)]
            + again
        )

    def _life(self, person: Person) -> Iterator[Message]:
        cast = person.number < 3
        count = 14 if cast else max(2, round(self.dice.gauss(self.sessions, 1.6)))
        start = self.now - timedelta(days=DAYS)
        if person.crm_id:
            yield from self._crm(person, start + timedelta(days=self.dice.uniform(0, DAYS)))
        order = list(CHANNELS) * 3 if cast else None
        drift = self._drifted(person)
        for number in range(count):
            channel = order[number] if order else self.dice.choices(CHANNELS, SHARES)[0]
            progress = (number + self.dice.random()) / count
            at = start + timedelta(days=DAYS * min(progress, 0.999))
            tastes = person.tastes if progress < 0.5 else drift
            yield from self._session(person, channel, at, tastes)

    def _drifted(self, person: Person) -> dict[int, float]:
        """Later on people take to a neighbouring category: what a graph can foresee."""
        strongest = max(person.tastes, key=lambda c: person.tastes[c])
        neighbour = strongest + 1 if strongest % 2 == 0 else strongest - 1
        rest = {c: w * 0.6 for c, w in person.tastes.items()}
        return rest | {neighbour % len(self.categories): 0.4}

    def _session(
        self, person: Person, channel: str, at: datetime, tastes: dict[int, float]
    ) -> Iterator[Message]:
        if channel == "social" and not person.social_handle:
            channel = "web"
        who = self._visitor(person, channel, at)
        yield from who.opening
        moment = at
        seen: list[Listing] = []
        for _ in range(self.dice.choice((1, 2, 2, 3, 4))):
            item = self._pick(person, channel, tastes)
            seen.append(item)
            moment += timedelta(seconds=self.dice.randrange(15, 240))
            if channel != "store":
                yield who.track(self, "Product Viewed", moment, _line(item))
        bought = [
            item for item in seen if self.dice.random() < (0.8 if channel == "store" else 0.3)
        ]
        if not bought:
            return
        if channel != "store":
            for item in bought:
                moment += timedelta(seconds=20)
                yield who.track(self, "Product Added", moment, _line(item))
        moment += timedelta(seconds=60)
        order = {"order_id": f"o-{self.count}", "products": [_line(item) for item in bought]}
        yield who.track(self, "Order Completed", moment, order)
        if self.dice.random() < 0.1:
            back = min(moment + timedelta(days=self.dice.uniform(2, 9)), self.now)
            refund = {"order_id": order["order_id"], "products": [_line(bought[0])]}
            yield who.track(self, "Order Refunded", back, refund)

    def _visitor(self, person: Person, channel: str, at: datetime) -> _Visitor:
        if channel == "app":
            return self._app(person, at)
        if channel == "social":
            return self._social(person)
        if channel == "store":
            return self._store(person)
        return self._click(person) if channel == "email" else self._web(person, at)

    def _pick(self, person: Person, channel: str, tastes: dict[int, float]) -> Listing:
        while True:
            chosen = self.dice.choices(list(tastes), list(tastes.values()))[0]
            if self.dice.random() < 0.08:
                chosen = self.dice.randrange(len(self.categories))
            shelf = self.by_category[self.categories[chosen]]
            weights = [3.0 if n % 5 == person.style else 0.6 for n in range(len(shelf))]
            item = self.dice.choices(shelf, weights)[0]
            if not item.channels or channel in item.channels:
                return item

    def _web(self, person: Person, at: datetime) -> _Visitor:
        cookie = self.dice.choice(person.cookies)
        if person.shared_cookie and self.dice.random() < 0.2:
            cookie = person.shared_cookie
        visitor = _Visitor("web", person, cookie, None, {})
        if person.user_id and self.dice.random() < 0.85:
            visitor = _Visitor("web", person, cookie, person.user_id, {})
            traits = {"email": self._email(person), "name": person.name}
            visitor.opening.append(visitor.identify(self, at, traits))
        return visitor

    def _app(self, person: Person, at: datetime) -> _Visitor:
        device = self.dice.choice(person.devices)
        known = person.user_id if self.dice.random() < 0.95 else None
        visitor = _Visitor("app", person, device, known, {})
        if known:
            traits = {"name": person.name, "phone": self._phone(person)}
            visitor.opening.append(visitor.identify(self, at, traits))
        return visitor

    def _social(self, person: Person) -> _Visitor:
        external = [_external("social_handle", str(person.social_handle))]
        if self.dice.random() < 0.5:
            external.append(_external("email", self._email(person)))
        handle = str(person.social_handle)
        return _Visitor("social", person, handle, None, {"externalIds": external})

    def _email(self, person: Person) -> str:
        return (
            self.dice.choice(JUNK_EMAILS)
            if self.dice.random() < 0.02
            else self.dice.choice(person.emails)
        )

    def _phone(self, person: Person) -> str:
        return self.dice.choice(JUNK_PHONES) if self.dice.random() < 0.02 else person.phone

    def _store(self, person: Person) -> _Visitor:
        place = self.dice.choice(self.town.kiosks if self.dice.random() < 0.15 else self.town.tills)
        external: list[dict[str, str]] = []
        if person.loyalty_card and self.dice.random() < 0.85:
            external.append(_external("loyalty_card", person.loyalty_card))
            if self.dice.random() < 0.4:
                external.append(_external("email", self._email(person)))
        elif self.dice.random() < 0.7:
            external.append(_external("phone", self._phone(person)))
            if self.dice.random() < 0.6:
                external.append(_external("email", self._email(person)))
        elif self.dice.random() < 0.3:
            external.append(_external("email", self.dice.choice(self.town.till_emails)))
        return _Visitor("store", person, place, None, {"externalIds": external})

    def _click(self, person: Person) -> _Visitor:
        cookie = self.dice.choice(person.cookies)
        external = [_external("email", self.dice.choice(person.emails))]
        return _Visitor("email", person, cookie, None, {"externalIds": external})

    def _crm(self, person: Person, at: datetime) -> Iterator[Message]:
        external = [_external("crm_id", str(person.crm_id))]
        record = _Visitor("crm", person, str(person.crm_id), None, {"externalIds": external})
        traits = {"name": person.name, "email": self._email(person), "phone": self._phone(person)}
        if person.loyalty_card and self.dice.random() < 0.4:
            traits["loyalty_card"] = person.loyalty_card
        yield record.identify(self, at, traits)

    def _next(self) -> int:
        self.count += 1
        return self.count


class _Visitor:
    """Who a channel takes the person for during one session."""

    def __init__(
        self, source: str, person: Person, anonymous_id: str, user_id: str | None,
        context: dict[str, Any],
    ) -> None:  # fmt: skip
        self.source, self.person, self.user_id = source, person, user_id
        self.anonymous_id = anonymous_id
        self.context = dict(context)
        if not person.consents:
            self.context["consent"] = {"categoryPreferences": {"personalization": False}}
        self.opening: list[Message] = []

    def identify(self, journeys: Journeys, at: datetime, traits: dict[str, Any]) -> Message:
        return self._message(journeys, "identify", at, "", traits)

    def track(
        self, journeys: Journeys, event: str, at: datetime, properties: dict[str, Any]
    ) -> Message:
        return self._message(journeys, "track", at, event, properties)

    def _message(
        self, journeys: Journeys, call: str, at: datetime, event: str, body: dict[str, Any]
    ) -> Message:
        return Message(
            self.source, call, self.person.number, at, f"demo-{journeys._next():07}", self.user_id,
            self.anonymous_id, event, body, self.context,
        )  # fmt: skip


def _line(item: Listing) -> dict[str, Any]:
    price = float(item.facts["price"][1]["amount"])
    return {"sku": item.sku, "name": item.title, "price": price, "quantity": 1}


def _external(kind: str, value: str) -> dict[str, str]:
    return {"id": value, "type": kind, "collection": "users", "encoding": "none"}
