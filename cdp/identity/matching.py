"""Weigh records against those that share a blocking key with them, as they come or all at once.

Which pairs are weighed depends on the set of records only: on those that share a key under which
there are not too many. A key that outgrows that is closed, and takes its pairs with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from cdp.domain.identifiers import RECORD, Key
from cdp.domain.matching import blocking
from cdp.domain.partition import ordered
from cdp.identity import arrays
from cdp.selectors.matchers import ActiveMatcher, Ready, known_records, ready_record, weigh


@dataclass
class Weighed:
    """Pairs (smaller id first) that a person or the matcher may join, and records that lost one."""

    weights: dict[tuple[int, int], float] = field(default_factory=dict)
    parted: set[int] = field(default_factory=set)

    @property
    def touched(self) -> set[int]:
        return {id_ for pair in self.weights for id_ in pair} | self.parted


def everything(matcher: ActiveMatcher, keep: bool = False) -> Weighed:
    """Every pair of the records that this matcher has entered anew; ``keep``: enter all that there
    are, and replace what is stored."""
    records = {row[0]: ready_record(matcher, *row) for row in _read(matcher, keep)}
    found = blocking.blocks((one.id, one.keys) for one in records.values())
    weighed = Weighed(_weigh(matcher, records, blocking.pairs(found)))
    if keep:
        _replace(matcher, found, weighed.weights)
    return weighed


def forget() -> None:
    """No blocks and no matches, as if no record had ever been matched."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cdp_block")
        cursor.execute("DELETE FROM cdp_match")
        cursor.execute("UPDATE cdp_record SET matcher = NULL WHERE matcher IS NOT NULL")


def enter(matcher: ActiveMatcher, ids: Iterable[int]) -> Weighed:
    """Records that came: into the blocks of their keys, and weighed against who is there."""
    records = {row[0]: ready_record(matcher, *row) for row in _claim(matcher, sorted(ids))}
    if not records:
        return Weighed()
    open_, closed = _join_blocks(records)
    pairs = {
        (min(id_, other), max(id_, other))
        for id_, one in records.items()
        for key in one.keys
        for other in open_.get(key, ())
        if other != id_
    }
    others = {id_ for pair in pairs for id_ in pair} - records.keys()
    known = records | known_records(matcher, others)
    weighed = Weighed(_weigh(matcher, known, pairs))
    _add(weighed.weights)
    for _, members in closed:
        weighed.parted |= _part(matcher, members)
    return weighed


def by_key(weighed: Weighed, matcher: ActiveMatcher) -> dict[tuple[Key, Key], float]:
    """The weights by the identifiers of the records, instead of their ids."""
    ids = {id_ for pair in weighed.weights for id_ in pair}
    keys = {id_: Key(RECORD, one.value) for id_, one in known_records(matcher, ids).items()}
    return {ordered(keys[a], keys[b]): w for (a, b), w in weighed.weights.items()}


def judged_anew(ids: Iterable[int]) -> set[int]:
    """Of these records and those that match them: who has a match. One that rules had taken out of
    every event may be back, and its matches with it."""
    wanted = arrays.ints(sorted(ids))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a_id, b_id FROM cdp_match WHERE a_id = ANY (%s::bigint[]) OR b_id = ANY (%s::bigint[])",
            [wanted, wanted],
        )
        return {id_ for row in cursor.fetchall() for id_ in row}


def _weigh(
    matcher: ActiveMatcher, records: Mapping[int, Ready], pairs: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for pair in pairs:
        bits = weigh(matcher, records[pair[0]], records[pair[1]])
        if bits >= matcher.review_at:
            found[pair] = bits
    return found


def _read(matcher: ActiveMatcher, everybody: bool) -> list[Any]:
    """Records as (id, value, fields as JSON)."""
    with connection.cursor() as cursor:
        cursor.execute(_ALL, [everybody, matcher.number])
        rows: list[Any] = cursor.fetchall()
        return rows


def _claim(matcher: ActiveMatcher, ids: list[int]) -> list[Any]:
    """Those that this matcher has not entered, which are marked as entered (a lock, too)."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [matcher.number, arrays.ints(ids), matcher.number])
        rows: list[Any] = cursor.fetchall()
        return rows


_ALL = """
    SELECT r.identifier_id, i.value, r.fields::text FROM cdp_record r
    JOIN cdp_identifier i ON i.id = r.identifier_id WHERE %s OR r.matcher = %s ORDER BY 1
"""
_CLAIM = """
    UPDATE cdp_record r SET matcher = %s FROM cdp_identifier i
    WHERE r.identifier_id = ANY (%s::bigint[]) AND r.matcher IS DISTINCT FROM %s
          AND i.id = r.identifier_id
    RETURNING r.identifier_id, i.value, r.fields::text
"""


def _join_blocks(
    records: Mapping[int, Ready],
) -> tuple[dict[int, list[int]], list[tuple[int, list[int]]]]:
    """Add records to the blocks of their keys: the open ones with all their records, and those
    that this closed.

    The block's row is the lock: of two workers whose records share a key the second sees the
    first's. Closed ones are left alone, so that nobody waits for what is common.
    """
    under = blocking.blocks((one.id, one.keys) for one in records.values())
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED, [arrays.ints(sorted(under)), blocking.MOST])
        closed_before = {row[0] for row in cursor.fetchall()}
        wanted = sorted(under.keys() - closed_before)
        cursor.execute(
            _JOIN,
            [arrays.ints(wanted), arrays.texts(arrays.ints(under[key]) for key in wanted),
             blocking.MOST],
        )  # fmt: skip
        rows = cursor.fetchall()
    open_: dict[int, list[int]] = {}
    closed: list[tuple[int, list[int]]] = []
    for key, members in rows:
        if len(members) <= blocking.MOST:
            open_[key] = members
        elif set(under[key]) <= set(members):  # else another closed it while we waited
            closed.append((key, members))
    return open_, closed


_CLOSED = """
    SELECT key FROM cdp_block WHERE key = ANY (%s::bigint[]) AND cardinality(records) > %s
"""
_JOIN = """
    INSERT INTO cdp_block AS old (key, records)
    SELECT key, its::bigint[] FROM unnest(%s::bigint[], %s::text[]) AS t(key, its) ORDER BY key
    ON CONFLICT (key) DO UPDATE SET records = CASE
        WHEN cardinality(old.records) > %s THEN old.records ELSE old.records || EXCLUDED.records END
    RETURNING key, records
"""


def _part(matcher: ActiveMatcher, members: list[int]) -> set[int]:
    """A block was closed: its pairs that share no other open one are no pairs any more."""
    with connection.cursor() as cursor:
        cursor.execute(_AMONG, [members, members])
        pairs = cursor.fetchall()
        known = known_records(matcher, {id_ for pair in pairs for id_ in pair})
        common = {(a, b): set(known[a].keys) & set(known[b].keys) for a, b in pairs}
        # Held, so that nobody closes meanwhile what keeps a pair together.
        every = sorted({key for keys in common.values() for key in keys})
        cursor.execute(_HOLD, [arrays.ints(every), blocking.MOST])
        open_ = {row[0] for row in cursor.fetchall()}
        gone = [pair for pair, keys in common.items() if not keys & open_]
        cursor.execute(_LEAVE, [arrays.ints(a for a, _ in gone), arrays.ints(b for _, b in gone)])
    return {id_ for pair in gone for id_ in pair}


_AMONG = "SELECT a_id, b_id FROM cdp_match WHERE a_id = ANY (%s) AND b_id = ANY (%s)"
_HOLD = """
    SELECT key FROM (SELECT key, cardinality(records) AS n FROM cdp_block
                     WHERE key = ANY (%s::bigint[]) ORDER BY key FOR NO KEY UPDATE) AS held
    WHERE n <= %s
"""
_LEAVE = """
    DELETE FROM cdp_match m USING unnest(%s::bigint[], %s::bigint[]) AS t(a, b)
    WHERE m.a_id = t.a AND m.b_id = t.b
"""


def _add(weights: Mapping[tuple[int, int], float]) -> None:
    pairs = sorted(weights)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cdp_match (a_id, b_id, weight)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::float8[])
            ON CONFLICT (a_id, b_id) DO NOTHING
            """,
            [
                arrays.ints(a for a, _ in pairs),
                arrays.ints(b for _, b in pairs),
                [weights[pair] for pair in pairs],
            ],
        )


def _replace(
    matcher: ActiveMatcher, found: Mapping[int, list[int]], weights: Mapping[tuple[int, int], float]
) -> None:
    """Blocks and matches of the former matcher make way; nobody else matches meanwhile (the caller
    holds the rules alone)."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cdp_block")
        cursor.execute("DELETE FROM cdp_match")
        with cursor.copy("COPY cdp_block (key, records) FROM STDIN") as copy:
            for key in sorted(found):
                copy.write_row((key, arrays.ints(found[key])))
        with cursor.copy("COPY cdp_match (a_id, b_id, weight) FROM STDIN") as copy:
            for pair in sorted(weights):
                copy.write_row((*pair, weights[pair]))
        cursor.execute("UPDATE cdp_record SET matcher = %s", [matcher.number])
