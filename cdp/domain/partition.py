"""Identity as a pure function of evidence: ``partition(links, assertions, rules)``.

The result depends on the *set* of evidence, never on the order in which it came: every input is
reduced by min, max or count-distinct, and links are taken in a canonical order (Kruskal's
algorithm with constraints). Late, repeated or shuffled events need no special case.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cdp.domain.identifiers import RECORD, Key
from cdp.domain.rules import Rules

LINKED = "linked"
EXPIRED = "expired"
UNLIKE = "unlike"
# Of two groups at most so many records each are held against each other.
SAMPLE = 8


@dataclass(frozen=True)
class Link:
    """Two identifiers seen together; an identifier linked with itself was seen (maybe alone)."""

    a: Key
    b: Key
    first_at: datetime
    weight: float = 1.0
    last_at: datetime | None = None


@dataclass(frozen=True)
class Assertion:
    """A person's word: these two are one customer (``must``), or never are."""

    a: Key
    b: Key
    must: bool


@dataclass(frozen=True)
class Refusal:
    """A link that joins nobody, and why: ``shared``, ``shop_owned``, ``expired``, ``limit:<kind>``,
    ``cannot_link``, or for a match of two records ``unlike``: all the records on both sides, held
    against each other, do not agree as these two do."""

    a: Key
    b: Key
    reason: str


def even(a: Key, b: Key) -> float:
    """0 bits: nothing is known of the pair."""
    return 0.0


@dataclass(frozen=True)
class Matches:
    """Records of people weighed against each other (bits, by ordered pair). From ``merge_at`` on a
    pair joins; ``weigh`` weighs any other pair when two groups are held against each other."""

    weights: Mapping[tuple[Key, Key], float]
    merge_at: float
    weigh: Callable[[Key, Key], float] = even

    def joining(self) -> list[tuple[Key, Key]]:
        """The pairs heavy enough to join, the heaviest first."""
        heavy = [(-w, pair) for pair, w in self.weights.items() if w >= self.merge_at]
        return [pair for _, pair in sorted(heavy)]

    def mean(self, one: Iterable[Key], other: Iterable[Key]) -> float:
        """Of all pairs between two groups."""
        pairs = [ordered(a, b) for a in one for b in other]
        return math.fsum(self._weight(pair) for pair in pairs) / len(pairs)

    def _weight(self, pair: tuple[Key, Key]) -> float:
        known = self.weights.get(pair)
        return self.weigh(*pair) if known is None else known


NO_MATCHES = Matches({}, math.inf)


@dataclass(frozen=True)
class Partition:
    """Every identifier's customer, named by its anchor: the oldest, then strongest identifier."""

    anchor: Mapping[Key, Key]
    shared: frozenset[Key]
    refused: tuple[Refusal, ...]

    def customers(self) -> dict[Key, list[Key]]:
        groups: dict[Key, list[Key]] = defaultdict(list)
        for key in sorted(self.anchor):
            groups[self.anchor[key]].append(key)
        return dict(groups)


def shared_identifiers(links: Iterable[Link], rules: Rules) -> frozenset[Key]:
    """Identifiers seen with too many distinct identifiers of one strong kind, and the shop's own."""
    owned: set[Key] = set()
    neighbours: dict[Key, dict[str, set[Key]]] = defaultdict(lambda: defaultdict(set))
    for link in links:
        owned |= {key for key in (link.a, link.b) if rules.shop_owned(key)}
        if not rules.live(link.a.kind, link.b.kind, link.last_at):
            continue
        for one, other in ((link.a, link.b), (link.b, link.a)):
            if other.kind in rules.strong and other != one and one.kind in rules.max_neighbours:
                neighbours[one][other.kind].add(other)
    return frozenset(owned).union(
        key
        for key, kinds in neighbours.items()
        if any(len(seen) > rules.max_neighbours[key.kind] for seen in kinds.values())
    )


def partition(
    links: Iterable[Link],
    assertions: Iterable[Assertion],
    rules: Rules,
    matches: Matches = NO_MATCHES,
    *,
    known_shared: frozenset[Key] = frozenset(),
) -> Partition:
    """Customers from a set of evidence: what was seen together first, then records that match.

    ``known_shared`` names identifiers already known to be shared when only part of their links is
    given (the incremental path); a full evaluation leaves it empty.
    """
    evidence = list(links)
    said = list(assertions)
    shared = shared_identifiers(evidence, rules) | known_shared
    first_seen = _first_seen(evidence)
    groups = _Groups(rules, {key for key in first_seen if key not in shared} | shared)
    for word in said:
        groups.ensure(word.a, word.b)
    groups.forbid(word for word in said if not word.must)
    refused = list(_join(groups, evidence, said, shared, rules))
    refused += _match(groups, matches, shared, rules)
    anchor = groups.anchors(lambda key: _age(key, first_seen, rules))
    return Partition(anchor, shared & frozenset(anchor), tuple(refused))


def contradiction(words: Iterable[Assertion]) -> Assertion | None:
    """A cannot-link between two that must-links make one; None when all words can be kept."""
    said = list(words)
    groups = _Groups(Rules(), ())
    for word in said:
        groups.ensure(word.a, word.b)
    for word in said:
        if word.must:
            groups.join(word.a, word.b, by_hand=True)
    apart = (word for word in said if not word.must)
    return next((w for w in apart if groups.find(w.a) == groups.find(w.b)), None)


def _join(
    groups: _Groups,
    links: list[Link],
    assertions: list[Assertion],
    shared: frozenset[Key],
    rules: Rules,
) -> Iterator[Refusal]:
    for must in sorted({_pair(word) for word in assertions if word.must}):
        if reason := groups.join(*must, by_hand=True):
            yield Refusal(*must, reason)
    for link in sorted({_pair(k): k for k in links}.values(), key=lambda k: _order(k, rules)):
        a, b = _pair(link)
        if a == b:
            continue
        if not rules.live(a.kind, b.kind, link.last_at):
            yield Refusal(a, b, EXPIRED)
        elif a in shared or b in shared:
            yield Refusal(a, b, unjoined(a, b, rules))
        elif reason := groups.join(a, b):
            yield Refusal(a, b, reason)


def _match(
    groups: _Groups, matches: Matches, shared: frozenset[Key], rules: Rules
) -> Iterator[Refusal]:
    """Join by matches, the heaviest first: two groups when they agree on the whole.

    A single match is not enough: trusting each by itself chains people together.
    """
    for a, b in matches.joining():
        if a not in groups.parent or b not in groups.parent:
            continue  # rules keep it out of every event
        if a in shared or b in shared:
            yield Refusal(a, b, unjoined(a, b, rules))
        elif reason := groups.join(a, b, matches=matches):
            yield Refusal(a, b, reason)


def unjoined(a: Key, b: Key, rules: Rules) -> str:
    """Why a link with a shared end joins nobody."""
    return "shop_owned" if rules.shop_owned(a) or rules.shop_owned(b) else "shared"


def ordered(a: Key, b: Key) -> tuple[Key, Key]:
    """Two identifiers, always the same way round."""
    return (a, b) if a <= b else (b, a)


def _pair(item: Link | Assertion) -> tuple[Key, Key]:
    return ordered(item.a, item.b)


def _order(link: Link, rules: Rules) -> tuple[int, float, tuple[Key, Key]]:
    pair = _pair(link)
    return rules.rank[link.a.kind] + rules.rank[link.b.kind], -link.weight, pair


def _first_seen(links: list[Link]) -> dict[Key, datetime]:
    seen: dict[Key, datetime] = {}
    for link in links:
        for key in (link.a, link.b):
            if key not in seen or link.first_at < seen[key]:
                seen[key] = link.first_at
    return seen


def _age(
    key: Key, first_seen: Mapping[Key, datetime], rules: Rules
) -> tuple[bool, datetime | None, int, Key]:
    at = first_seen.get(key)
    return at is None, at, rules.rank[key.kind], key


class _Groups:
    """Union-find that refuses a union which would break a limit or a cannot-link."""

    def __init__(self, rules: Rules, keys: Iterable[Key]) -> None:
        self.limits = rules.max_per_customer
        self.parent: dict[Key, Key] = {}
        self.counts: dict[Key, Counter[str]] = {}
        self.enemies: dict[Key, set[Key]] = defaultdict(set)
        self.members: dict[Key, list[Key]] = {}
        self.records: dict[Key, list[Key]] = {}
        self.ensure(*keys)

    def ensure(self, *keys: Key) -> None:
        for key in keys:
            if key not in self.parent:
                self.parent[key] = key
                self.counts[key] = Counter({key.kind: 1} if key.kind in self.limits else {})
                self.members[key] = [key]
                self.records[key] = [key] if key.kind == RECORD else []

    def forbid(self, cannot: Iterable[Assertion]) -> None:
        for word in cannot:
            self.enemies[word.a].add(word.b)
            self.enemies[word.b].add(word.a)

    def find(self, key: Key) -> Key:
        while self.parent[key] != key:
            self.parent[key] = self.parent[self.parent[key]]
            key = self.parent[key]
        return key

    def join(
        self, a: Key, b: Key, *, by_hand: bool = False, matches: Matches | None = None
    ) -> str | None:
        """Unite two groups, or say why not. A person's must-link may exceed a limit; ``matches``:
        only when the records on both sides agree on the whole."""
        one, two = self.find(a), self.find(b)
        if one == two:
            return None
        if any(self.find(enemy) == two for enemy in self._enemies(one)):
            return "cannot_link"
        total = self.counts[one] + self.counts[two]
        if not by_hand:
            for kind, count in sorted(total.items()):
                if count > self.limits[kind] and self.counts[one][kind] and self.counts[two][kind]:
                    return f"limit:{kind}"
        if matches and matches.mean(self.records[one], self.records[two]) < matches.merge_at:
            return UNLIKE
        small, large = sorted((one, two), key=lambda root: (len(self.members[root]), root))
        self.parent[small] = large
        self.counts[large] = total
        self.members[large] += self.members.pop(small)
        # The smallest values, which are hashes: the same sample in whatever order they came.
        self.records[large] = sorted(self.records[large] + self.records.pop(small))[:SAMPLE]
        return None

    def _enemies(self, root: Key) -> Iterator[Key]:
        if self.enemies:
            for member in self.members[root]:
                yield from self.enemies.get(member, ())

    def anchors(self, age: object) -> dict[Key, Key]:
        oldest: dict[Key, Key] = {}
        assert callable(age)
        for members in self.members.values():
            anchor = min(members, key=age)
            oldest.update(dict.fromkeys(members, anchor))
        return oldest
