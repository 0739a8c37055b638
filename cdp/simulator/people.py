"""Invented people with what they own, share and like."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

FIRST = [
    "Alice",
    "Bob",
    "Charlie",
    "Dana",
    "Emil",
    "Fatima",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kira",
    "Liang",
    "Mona",
    "Nils",
    "Olga",
    "Pavel",
    "Qiao",
    "Rosa",
    "Sven",
    "Tara",
    "Ugo",
    "Vera",
    "Wei",
    "Xenia",
    "Yusuf",
    "Zoe",
    "Amir",
    "Bea",
    "Carl",
    "Dora",
    "Elif",
    "Finn",
    "Gita",
    "Hugo",
    "Ida",
    "Jun",
]
LAST = [
    "Adams",
    "Becker",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ivanov",
    "Jensen",
    "Kim",
    "Larsen",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quinn",
    "Rossi",
    "Silva",
    "Tanaka",
    "Usman",
    "Vogel",
    "Wang",
    "Xu",
    "Yilmaz",
    "Zhang",
    "Abbott",
    "Brandt",
]


@dataclass
class Person:
    """One person's truth: every identifier they use, and what they like."""

    number: int
    name: str
    emails: list[str]
    phone: str
    user_id: str | None
    loyalty_card: str | None
    crm_id: str | None
    social_handle: str | None
    devices: list[str]
    cookies: list[str]
    consents: bool
    tastes: dict[int, float]
    style: int
    shared_cookie: str | None = None
    household: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Town:
    people: Sequence[Person]
    kiosks: Sequence[str]
    tills: Sequence[str]
    till_emails: Sequence[str]


def sample_town(count: int, categories: int, seed: int = 1) -> Town:
    """``count`` people in households of one to three; the first three are Alice, Bob, Charlie."""
    dice = random.Random(seed)
    people = [_person(number, dice, categories) for number in range(count)]
    people[0].name, people[1].name, people[2].name = "Alice Adams", "Bob Becker", "Charlie Costa"
    for person in people[:3]:
        _complete(person)
    people[2].consents = False
    position = 0
    while position < count:
        size = dice.choice((1, 1, 2, 2, 3))
        home = people[position : position + size]
        if len(home) > 1:
            tablet = f"ck-home-{position:05}"
            for person in home:
                person.shared_cookie = tablet
                person.household = [other.number for other in home]
        position += size
    return Town(
        people,
        kiosks=[f"kiosk-{n:02}" for n in range(6)],
        tills=[f"till-{n:02}" for n in range(12)],
        till_emails=[f"desk{n}@sampleshop.example" for n in range(4)],
    )


def _person(number: int, dice: random.Random, categories: int) -> Person:
    name = f"{dice.choice(FIRST)} {dice.choice(LAST)}"
    slug = name.lower().replace(" ", ".")
    likes = dice.sample(range(categories), 3)
    emails = [f"{slug}.{number}@mail.example"]
    if dice.random() < 0.15:
        emails.append(f"{slug[0]}{number}@work.example")
    return Person(
        number=number, name=name, emails=emails, phone=f"+1206{2_000_000 + number * 37:07}",
        user_id=f"u-{number:05}" if dice.random() < 0.85 else None,
        loyalty_card=f"L{700_000 + number}" if dice.random() < 0.65 else None,
        crm_id=f"C-{number:05}" if dice.random() < 0.4 else None,
        social_handle=f"ig:{slug.replace('.', '_')}_{number}" if dice.random() < 0.35 else None,
        devices=[f"dev-{number:05}-{n}" for n in range(dice.choice((1, 1, 1, 2)))],
        cookies=[f"ck-{number:05}-{n}" for n in range(dice.choice((1, 1, 2, 2, 3)))],
        consents=dice.random() > 0.03,
        tastes=dict(zip(likes, (0.6, 0.27, 0.13), strict=True)),
        style=dice.randrange(5),
    )  # fmt: skip


def _complete(person: Person) -> None:
    """The cast uses every channel."""
    number, slug = person.number, person.name.lower().replace(" ", ".")
    person.emails = [f"{slug}@mail.example"]
    person.user_id, person.loyalty_card = f"u-{number:05}", f"L{700_000 + number}"
    person.crm_id, person.social_handle = f"C-{number:05}", f"ig:{slug.replace('.', '_')}"
    person.cookies = [f"ck-{number:05}-{n}" for n in range(2)]
    person.consents = True
