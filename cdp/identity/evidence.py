"""Write the evidence of a batch of events: identifiers and the links between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cdp.domain.identifiers import Key, linked_pairs
from cdp.domain.partition import EXPIRED, unjoined
from cdp.domain.rules import Rules
from cdp.identity import arrays
from cdp.statements import execute


@dataclass(frozen=True)
class Seen:
    """The identifiers of one event, when it happened, what it is called, and whether it acts on
    products or says words about a person."""

    event: int
    keys: tuple[Key, ...]
    at: datetime
    name: str = ""
    acts: bool = False
    words: bool = False


def upsert_identifiers(seen: list[Seen]) -> dict[Key, int]:
    """Insert what is new (each born as a component of its own); returns every key's id."""
    first: dict[Key, datetime] = {}
    last: dict[Key, datetime] = {}
    for item in seen:
        for key in item.keys:
            first[key] = min(first.get(key, item.at), item.at)
            last[key] = max(last.get(key, item.at), item.at)
    keys = sorted(first)
    names = [arrays.texts(key.kind for key in keys), arrays.texts(key.value for key in keys)]
    ids = _ids(names)
    missing = [key for key in keys if key not in ids]
    if missing:
        born = _insert(missing, first, last)
        # Those that another worker gave birth to meanwhile are there by now.
        ids = ids | born if len(born) == len(missing) else _ids(names)
    return ids


def _ids(names: list[str]) -> dict[Key, int]:
    found = execute(
        """
        SELECT i.kind, i.value, i.id FROM cdp_identifier i
        JOIN unnest(%s::text[], %s::text[]) AS t(kind, value) USING (kind, value)
        """,
        names,
    )
    return {Key(kind, value): id_ for kind, value, id_ in found}


def _insert(
    keys: list[Key], first: dict[Key, datetime], last: dict[Key, datetime]
) -> dict[Key, int]:
    """Born in one order everywhere, so that two workers with the same keys do not deadlock."""
    found = execute(
        """
        INSERT INTO cdp_identifier (id, kind, value, component, first_seen_at, last_seen_at)
        SELECT n, kind, value, n, first_at, last_at FROM (
            SELECT nextval(pg_get_serial_sequence('cdp_identifier', 'id')) AS n, t.*
            FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
                 AS t(kind, value, first_at, last_at)
            ORDER BY kind COLLATE "C", value COLLATE "C") AS born
        ON CONFLICT (kind, value) DO NOTHING RETURNING kind, value, id
        """,
        [
            arrays.texts(key.kind for key in keys),
            arrays.texts(key.value for key in keys),
            arrays.moments(first[key] for key in keys),
            arrays.moments(last[key] for key in keys),
        ],
    )
    return {Key(kind, value): id_ for kind, value, id_ in found}


Pairs = Mapping[tuple[int, int], list[Seen]]


def pairs_of(seen: list[Seen], ids: Mapping[Key, int]) -> Pairs:
    """Every pair of identifiers seen together, with the events it was seen in."""
    pairs: dict[tuple[int, int], list[Seen]] = {}
    for item in seen:
        for one, other in linked_pairs(item.keys):
            a, b = ids[one], ids[other]
            pairs.setdefault((a, b) if a < b else (b, a), []).append(item)
    return pairs


def known_pairs(pairs: Pairs) -> set[tuple[int, int]]:
    """Those already judged; one that had expired is seen anew and must be judged again."""
    ordered = sorted(pairs)
    if not ordered:
        return set()
    found = execute(
        """
        SELECT l.a_id, l.b_id FROM cdp_link l
        JOIN unnest(%s::bigint[], %s::bigint[]) AS t(a, b) ON l.a_id = t.a AND l.b_id = t.b
        WHERE l.verdict NOT IN ('expired', '')
        """,
        [arrays.ints(a for a, _ in ordered), arrays.ints(b for _, b in ordered)],
    )
    return set(found)


def write_links(pairs: Pairs, shared: Mapping[int, Key], rules: Rules) -> None:
    """Add to the evidence. Where both ends are ``shared`` already nobody will judge: do it here."""

    def verdict(a: int, b: int) -> str:
        if a not in shared or b not in shared:
            return ""
        one, two, last_at = shared[a], shared[b], max(item.at for item in pairs[a, b])
        return unjoined(one, two, rules) if rules.live(one.kind, two.kind, last_at) else EXPIRED

    ordered = sorted(pairs)
    execute(
        """
        INSERT INTO cdp_link AS old (a_id, b_id, count, first_at, last_at, verdict)
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::timestamptz[],
                             %s::timestamptz[], %s::text[])
                 AS t(a, b, n, first_at, last_at, verdict) ORDER BY a, b
        ON CONFLICT (a_id, b_id) DO UPDATE SET count = old.count + EXCLUDED.count,
            first_at = least(old.first_at, EXCLUDED.first_at),
            last_at = greatest(old.last_at, EXCLUDED.last_at),
            verdict = CASE WHEN EXCLUDED.verdict IN ('', 'expired') THEN old.verdict
                           ELSE EXCLUDED.verdict END
        """,
        [
            arrays.ints(a for a, _ in ordered), arrays.ints(b for _, b in ordered),
            arrays.ints(len(pairs[pair]) for pair in ordered),
            arrays.moments(min(item.at for item in pairs[pair]) for pair in ordered),
            arrays.moments(max(item.at for item in pairs[pair]) for pair in ordered),
            arrays.texts(verdict(*pair) for pair in ordered),
        ],
    )  # fmt: skip


class Held(NamedTuple):
    """Locked identifiers: those that belong to nobody yet, those that are shared, and those now
    known to be older than before."""

    unresolved: set[int]
    shared: set[int]
    older: set[int]


def hold_identifiers(seen: list[Seen], ids: Mapping[Key, int]) -> Held:
    """Hold still the identifiers of a batch (whose they are, whether they are shared), and widen
    when they were first and last seen.

    Without it, an event could hang on an identifier that another worker is just turning shared.
    """
    first: dict[int, datetime] = {}
    last: dict[int, datetime] = {}
    for item in seen:
        for key in item.keys:
            id_ = ids[key]
            first[id_] = min(first.get(id_, item.at), item.at)
            last[id_] = max(last.get(id_, item.at), item.at)
    ordered = sorted(first)
    found = execute(
        """
        WITH held AS (
            SELECT i.id, i.customer_id IS NULL AS unresolved, i.shared, t.first_at, t.last_at,
                   t.first_at < i.first_seen_at AS older,
                   t.last_at > i.last_seen_at OR i.gone_at IS NOT NULL AS later
            FROM cdp_identifier i
            JOIN unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
                 AS t(id, first_at, last_at) ON t.id = i.id
            ORDER BY i.id FOR NO KEY UPDATE OF i),
        widened AS (
            UPDATE cdp_identifier i
            SET first_seen_at = least(i.first_seen_at, h.first_at),
                last_seen_at = greatest(i.last_seen_at, h.last_at), gone_at = NULL
            FROM held h WHERE h.id = i.id AND (h.older OR h.later))
        SELECT id, unresolved, shared, older FROM held WHERE unresolved OR shared OR older
        """,
        [
            arrays.ints(ordered),
            arrays.moments(first[i] for i in ordered),
            arrays.moments(last[i] for i in ordered),
        ],
    )
    return Held(
        {id_ for id_, unresolved, _, _ in found if unresolved},
        {id_ for id_, _, shared, _ in found if shared},
        {id_ for id_, _, _, older in found if older},
    )
