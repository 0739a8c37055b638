"""Judge locked evidence with the pure partition and write what changed, with its decisions."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection

from cdp.domain import partition as pure
from cdp.domain.identifiers import RECORD, SUSPICIOUS, Key
from cdp.domain.rules import Rules
from cdp.identity import arrays, ledger, stored
from cdp.identity.ledger import Cause, Entry
from cdp.identity.stored import Evidence
from cdp.models import What
from cdp.statements import execute

REVIEW = "review"
log = logging.getLogger(__name__)


@dataclass
class Applied:
    """What an evaluation changed: moves, customers on either side, identifiers that flipped."""

    moved: set[int] = field(default_factory=set)
    customers: set[int] = field(default_factory=set)
    flipped: set[int] = field(default_factory=set)


def public_id(key: Key) -> uuid.UUID:
    """The customer id anchored on an identifier: uuid5 in the installation's secret namespace."""
    return uuid.uuid5(uuid.UUID(settings.CUSTOMER_NAMESPACE), f"{key.kind}:{key.value}")


def evaluate(components: set[int], rules: Rules, cause: Cause) -> Applied:
    """Recompute the customers of locked components and write the differences."""
    return _judge(stored.of_components(components, rules), rules, cause)


def evaluate_everything(rules: Rules, cause: Cause) -> Applied:
    """Recompute every customer; the caller keeps all others from changing identities meanwhile."""
    stored.bring_back()
    gone = stored.without_evidence()
    applied = _judge(stored.everything(rules), rules, cause)
    _let_go(gone, applied, rules, cause)
    return applied


def _judge(evidence: Evidence, rules: Rules, cause: Cause) -> Applied:
    result = pure.partition(
        evidence.pure_links(),
        [word for _, _, word in evidence.words],
        rules,
        evidence.matches(),
        known_shared=evidence.known_shared,
    )
    applied, entries = _apply(evidence, result)
    entries += _verdicts(evidence, result, cause)
    _warn_of_growth(evidence, result, applied)
    ledger.write(entries, cause, rules.version)
    return applied


def _apply(evidence: Evidence, result: pure.Partition) -> tuple[Applied, list[Entry]]:
    ids = {key: id_ for id_, key in evidence.keys.items()}
    applied = Applied()
    updates: list[tuple[int, int, int, bool]] = []
    entries: list[Entry] = []
    components = _components(evidence, result)
    for id_, row in evidence.rows.items():
        customer, shared = ids[result.anchor[row.key]], row.key in result.shared
        if (row.customer, row.component, row.shared) == (customer, components[id_], shared):
            continue
        updates.append((id_, customer, components[id_], shared))
        if row.shared != shared:
            applied.flipped.add(id_)
            entries.append(Entry(What.SHARED if shared else What.UNSHARED, id_))
        if row.customer != customer:
            applied.moved.add(id_)
            applied.customers |= {customer} | ({row.customer} if row.customer else set())
            if row.customer is not None:
                anchor = evidence.keys.get(row.customer)
                absorbed = anchor is not None and ids[result.anchor[anchor]] == customer
                what = What.MERGED if absorbed else What.SPLIT
                entries.append(Entry(what, id_, None, row.customer, customer))
    _ensure_customers({customer for _, customer, _, _ in updates}, evidence.keys)
    _write(sorted(updates))
    return applied, entries


def _verdicts(evidence: Evidence, result: pure.Partition, cause: Cause) -> Iterator[Entry]:
    """Write the verdicts that changed; each is a decision with an event in which both were seen."""
    refused = {(one.a, one.b): one.reason for one in result.refused}
    changed: list[tuple[int, int, str]] = []
    for a, b, link, before in evidence.links:
        low, high = sorted((link.a, link.b))
        verdict = refused.get((low, high), pure.LINKED)
        if verdict != before:
            changed.append((a, b, verdict))
    _write_verdicts("cdp_link", changed)
    for a, b, verdict in changed:
        linked = verdict == pure.LINKED
        yield Entry(
            What.LINKED if linked else What.REFUSED, a, b, event=cause.events.get((a, b)),
            reason="" if linked else verdict,
        )  # fmt: skip
    yield from _match_verdicts(evidence, refused)


def _match_verdicts(evidence: Evidence, refused: Mapping[tuple[Key, Key], str]) -> Iterator[Entry]:
    """The same for matches; those that wait for a person are not decided."""
    changed: list[tuple[int, int, str]] = []
    for one in evidence.matched:
        joins = one.weight >= evidence.merge_at
        verdict = refused.get(one.pair, pure.LINKED) if joins else REVIEW
        if verdict == one.verdict:
            continue
        changed.append((one.a, one.b, verdict))
        bits = f"match of {one.weight:.1f} bits"
        if verdict == pure.LINKED:
            yield Entry(What.LINKED, one.a, one.b, reason=bits)
        elif joins:
            yield Entry(What.REFUSED, one.a, one.b, reason=f"{verdict} ({bits})")
    _write_verdicts("cdp_match", changed)


def _warn_of_growth(evidence: Evidence, result: pure.Partition, applied: Applied) -> None:
    """Say when a customer grows beyond what a person has: mostly an identifier that is shared."""
    if len(evidence.rows) <= SUSPICIOUS:
        return
    sizes = Counter(
        result.anchor[row.key] for row in evidence.rows.values() if row.key.kind != RECORD
    )
    grown = {result.anchor[evidence.rows[id_].key] for id_ in applied.moved if id_ in evidence.rows}
    for anchor in sorted(grown):
        if sizes[anchor] > SUSPICIOUS:
            log.warning("customer %s has grown to %s identifiers", public_id(anchor), sizes[anchor])


def _components(evidence: Evidence, result: pure.Partition) -> dict[int, int]:
    """Connected by links that count (refused ones too) or by a must-link: what is judged together."""
    parent = {id_: id_ for id_ in evidence.rows}

    def find(id_: int) -> int:
        while parent[id_] != id_:
            parent[id_] = parent[parent[id_]]
            id_ = parent[id_]
        return id_

    counting = [
        (a, b)
        for a, b, link, _ in evidence.links
        if link.a not in result.shared and link.b not in result.shared
    ]
    counting += [(m.a, m.b) for m in evidence.matched if m.weight >= evidence.merge_at]
    counting += [(a, b) for a, b, word in evidence.words if word.must]
    for a, b in counting:
        if a in parent and b in parent:
            low, high = sorted((find(a), find(b)))
            parent[high] = low
    return {id_: find(id_) for id_ in evidence.rows}


def _ensure_customers(anchors: Iterable[int], keys: dict[int, Key]) -> None:
    ids = sorted(set(anchors))
    if not ids:
        return
    execute(
        """
        INSERT INTO cdp_customer (id, public_id) SELECT * FROM unnest(%s::bigint[], %s::uuid[])
        ON CONFLICT (id) DO NOTHING
        """,
        [arrays.ints(ids), arrays.texts(str(public_id(keys[id_])) for id_ in ids)],
    )


def _write(updates: list[tuple[int, int, int, bool]]) -> None:
    if not updates:
        return
    execute(
        """
        UPDATE cdp_identifier i
        SET customer_id = t.customer, component = t.component, shared = t.shared
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bool[])
             AS t(id, customer, component, shared)
        WHERE i.id = t.id
        """,
        [
            arrays.ints(id_ for id_, _, _, _ in updates),
            arrays.ints(customer for _, customer, _, _ in updates),
            arrays.ints(component for _, _, component, _ in updates),
            arrays.flags(shared for _, _, _, shared in updates),
        ],
    )


def _write_verdicts(table: str, changed: list[tuple[int, int, str]]) -> None:
    if not changed:
        return
    execute(
        f"""
        UPDATE {table} l SET verdict = t.verdict
        FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS t(a, b, verdict)
        WHERE l.a_id = t.a AND l.b_id = t.b
        """,
        [
            arrays.ints(a for a, _, _ in changed),
            arrays.ints(b for _, b, _ in changed),
            arrays.texts(verdict for _, _, verdict in changed),
        ],
    )


def _let_go(gone: set[int], applied: Applied, rules: Rules, cause: Cause) -> None:
    """Identifiers that no event names any more belong to nobody; a customer id that was anchored
    on one leads to where most of its people are now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH old AS (
                SELECT id, customer_id FROM cdp_identifier WHERE id = ANY (%s::bigint[]))
            UPDATE cdp_identifier i
            SET customer_id = NULL, component = i.id, shared = false, gone_at = now()
            FROM old WHERE old.id = i.id RETURNING i.id, old.customer_id
            """,
            [arrays.ints(sorted(gone))],
        )
        left = cursor.fetchall()
        cursor.execute(_SUCCESSORS, [arrays.ints(sorted(gone)), cause.reason])
    for id_, customer in left:
        applied.moved.add(id_)
        applied.customers.add(customer)
    ledger.write(
        [Entry(What.GONE, id_, None, of) for id_, of in sorted(left)], cause, rules.version
    )


_SUCCESSORS = """
    UPDATE cdp_customer c SET successor = t.new_customer
    FROM (SELECT DISTINCT ON (old_customer) old_customer, new_customer
          FROM (SELECT d.old_customer, d.new_customer, count(*) AS n FROM cdp_decision d
                WHERE d.old_customer = ANY (%s::bigint[]) AND d.reason = %s
                      AND d.what IN ('merged', 'split') GROUP BY 1, 2) AS moves
          ORDER BY old_customer, n DESC, new_customer) AS t
    WHERE c.id = t.old_customer
"""
