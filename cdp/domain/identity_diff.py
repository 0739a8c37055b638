"""What differs between two partitions of the same identifiers: merges, splits, shared ones."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cdp.domain.identifiers import Key

Anchors = Mapping[Key, Key]


@dataclass(frozen=True)
class State:
    """Each identifier's customer (by its anchor), and the shared ones."""

    anchor: Anchors
    shared: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Regrouped:
    """One customer on one side and the several it is on the other."""

    one: Key
    several: tuple[Key, ...]


@dataclass(frozen=True)
class Diff:
    """From one state to another. ``merged``: a later customer made of several earlier ones;
    ``split``: an earlier one now in several; ``renamed``: the same group under another id."""

    customers_before: int
    customers_after: int
    merged: tuple[Regrouped, ...]
    split: tuple[Regrouped, ...]
    renamed: int
    moved: Mapping[str, int]
    turned_shared: tuple[Key, ...]
    no_longer_shared: tuple[Key, ...]
    appeared: Mapping[str, int]
    vanished: Mapping[str, int]
    digest: str = field(compare=False)


def diff(before: State, after: State) -> Diff:
    """Every difference, in an order that depends on the two states alone."""
    both = before.anchor.keys() & after.anchor.keys()
    moved = [key for key in both if before.anchor[key] != after.anchor[key]]
    into, out_of = (
        _groups(both, after.anchor, before.anchor),
        _groups(both, before.anchor, after.anchor),
    )
    merged, split = _several(into), _several(out_of)
    torn = {one.one for one in split} | {key for one in merged for key in one.several}
    renamed = sum(
        1 for old, new in out_of.items() if old not in torn and set(new) != {old} and len(new) == 1
    )
    return Diff(
        customers_before=len(set(before.anchor.values())),
        customers_after=len(set(after.anchor.values())),
        merged=merged,
        split=split,
        renamed=renamed,
        moved=_by_kind(moved),
        turned_shared=tuple(sorted(after.shared - before.shared)),
        no_longer_shared=tuple(sorted(before.shared - after.shared)),
        appeared=_by_kind(after.anchor.keys() - before.anchor.keys()),
        vanished=_by_kind(before.anchor.keys() - after.anchor.keys()),
        digest=_digest(before, after),
    )  # fmt: skip


def _groups(keys: Iterable[Key], by: Anchors, other: Anchors) -> dict[Key, set[Key]]:
    found: dict[Key, set[Key]] = defaultdict(set)
    for key in keys:
        found[by[key]].add(other[key])
    return found


def _several(groups: Mapping[Key, set[Key]]) -> tuple[Regrouped, ...]:
    return tuple(
        Regrouped(one, tuple(sorted(many))) for one, many in sorted(groups.items()) if len(many) > 1
    )


def _by_kind(keys: Iterable[Key]) -> dict[str, int]:
    return dict(sorted(Counter(key.kind for key in keys).items()))


def _digest(before: State, after: State) -> str:
    """Of every identifier whose customer or shared flag differs, with both; equal digests mean
    equal changes."""
    changed = hashlib.sha256()
    for key in sorted(before.anchor.keys() | after.anchor.keys()):
        old = (before.anchor.get(key), key in before.shared)
        new = (after.anchor.get(key), key in after.shared)
        if old != new:
            changed.update(repr((key, old, new)).encode())
    return changed.hexdigest()


def neighbours(links: Iterable[tuple[Key, Key]]) -> dict[Key, list[Key]]:
    """Whom each identifier is linked with, other than itself."""
    near: dict[Key, list[Key]] = defaultdict(list)
    for a, b in links:
        if a != b:
            near[a].append(b)
            near[b].append(a)
    return near


def walk(near: Mapping[Key, Sequence[Key]], start: Key, end: Key) -> Sequence[Key]:
    """The identifiers from one to the other along the fewest links, ties to the smaller; empty when
    there is no way."""
    came: dict[Key, Key | None] = {start: None}
    queue = deque([start])
    while queue and end not in came:
        here = queue.popleft()
        for other in sorted(near.get(here, ())):
            if other not in came:
                came[other] = here
                queue.append(other)
    if end not in came:
        return ()
    path: list[Key] = []
    at: Key | None = end
    while at is not None:
        path.append(at)
        at = came[at]
    return path[::-1]
