"""Compare what is stored with what rules would make of the evidence; nothing is written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.db import connection

from cdp.domain import partition as pure
from cdp.domain.identifiers import Key
from cdp.domain.identity_diff import Diff, Regrouped, State, diff, neighbours, walk
from cdp.domain.partition import LINKED, ordered
from cdp.domain.rules import Rules
from cdp.identity import history, logins, matching, stored
from cdp.identity.evaluate import REVIEW
from cdp.identity.history import Advance
from cdp.identity.stored import Evidence
from cdp.identity.subjects import misplaced
from cdp.selectors.matchers import active_matcher, all_matches, weigher
from cdp.selectors.rules import active_rules

SAMPLES = 20
Near = dict[Key, list[Key]]


def stored_state() -> State:
    """The customers as they are, by the identifier each is anchored on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.kind, i.value, a.kind, a.value, i.shared
            FROM cdp_identifier i JOIN cdp_identifier a ON a.id = i.customer_id
            """
        )
        rows = cursor.fetchall()
    anchor = {Key(kind, value): Key(*of) for kind, value, *of, _ in rows}
    return State(anchor, frozenset(Key(row[0], row[1]) for row in rows if row[4]))


def simulate(rules: Rules, advance: Advance) -> dict[str, Any]:
    """What applying these rules would change, as a report."""
    evidence = stored.everything(rules)
    before = stored_state()
    if rules.reads_like(active_rules()):
        links = evidence.pure_links()
        advance("links", len(links))
    else:
        links = history.history(rules, advance).links()
    known = {key for link in links for key in (link.a, link.b)}
    matches = all_matches()
    result = pure.partition(links, stored.words_among(known), rules, matches)
    anchor = {key: of for key, of in result.anchor.items() if key in known}
    after = State(anchor, result.shared)
    refused = {(one.a, one.b): one.reason for one in result.refused}
    joined = [pair for link in links if (pair := ordered(link.a, link.b)) not in refused]
    joined += [pair for pair in matches.joining() if pair not in refused]
    return _report(
        diff(before, after), neighbours(_stored_links(evidence)), neighbours(joined), refused
    )


def report(before: State, after: State, evidence: Evidence) -> dict[str, Any]:
    """What applying did, in the form of a simulation (the paths are those of now)."""
    refused = {
        ordered(f.link.a, f.link.b): f.verdict for f in evidence.links if f.verdict != LINKED
    }
    refused |= {m.pair: m.verdict for m in evidence.matched if m.verdict not in (LINKED, REVIEW)}
    every = [ordered(f.link.a, f.link.b) for f in evidence.links] + evidence.matches().joining()
    return _report(
        diff(before, after), neighbours(every), neighbours(_stored_links(evidence)), refused
    )


def differences(rules: Rules, advance: Advance) -> dict[str, tuple[int, list[str]]]:
    """Stored identity against the events read anew: links, identifiers, customers, subjects; and
    matches against the records weighed anew."""
    told = history.history(rules, advance)
    matches, of_matches = _matches_anew(advance)
    words = stored.words_among(told.seen.keys())
    result = pure.partition(told.links(), words, rules, matches)
    refused = {(one.a, one.b): one.reason for one in result.refused}
    want_links = {
        (*pair, t.count, t.first_at, t.last_at, refused.get(pair, LINKED))
        for pair, t in told.pairs.items()
    }
    want = {(key, result.anchor[key], key in result.shared) for key in told.seen}
    state = stored_state()
    have = {(key, of, key in state.shared) for key, of in state.anchor.items()}
    wrong = misplaced(rules)
    return {
        "links": _compared(want_links, _links_in_full()),
        "customers": _compared(want, have),
        "matches": of_matches,
        "logins": (logins.differences(), []),
        "events": (len(wrong), [f"event {id_}" for id_ in sorted(wrong)[:3]]),
    }


def _matches_anew(advance: Advance) -> tuple[pure.Matches, tuple[int, list[str]]]:
    """What the active matcher makes of all records now, and how the stored matches differ."""
    matcher = active_matcher()
    if matcher is None:
        return pure.NO_MATCHES, (0, [])
    have = all_matches()
    found = matching.by_key(matching.everything(matcher), matcher)
    want = pure.Matches(found, matcher.merge_at, weigher())
    advance("matches", len(want.weights))
    return want, _compared(set(want.weights.items()), set(have.weights.items()))


def _compared(want: set[Any], have: set[Any]) -> tuple[int, list[str]]:
    examples = [f"missing {item}" for item in sorted(want - have, key=repr)[:3]]
    examples += [f"surplus {item}" for item in sorted(have - want, key=repr)[:3]]
    return len(want ^ have), examples


def _links_in_full() -> set[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.kind, a.value, b.kind, b.value, l.count, l.first_at, l.last_at, l.verdict
            FROM cdp_link l JOIN cdp_identifier a ON a.id = l.a_id
            JOIN cdp_identifier b ON b.id = l.b_id
            """
        )
        return {
            (*ordered(Key(ak, av), Key(bk, bv)), n, first, last, verdict)
            for ak, av, bk, bv, n, first, last, verdict in cursor.fetchall()
        }


def _report(found: Diff, before: Near, after: Near, refused: dict[Any, str]) -> dict[str, Any]:
    return {
        "customers_before": found.customers_before,
        "customers_after": found.customers_after,
        "merged": len(found.merged),
        "split": len(found.split),
        "renamed": found.renamed,
        "moved": dict(found.moved),
        "turned_shared": len(found.turned_shared),
        "no_longer_shared": len(found.no_longer_shared),
        "appeared": dict(found.appeared),
        "vanished": dict(found.vanished),
        "digest": found.digest,
        "samples": {
            "merged": [_merge(one, after) for one in found.merged[:SAMPLES]],
            "split": [_split(one, before, refused) for one in found.split[:SAMPLES]],
            "turned_shared": [_named(key) for key in found.turned_shared[:SAMPLES]],
            "no_longer_shared": [_named(key) for key in found.no_longer_shared[:SAMPLES]],
        },
    }


def _merge(one: Regrouped, near: Near) -> dict[str, Any]:
    path = walk(near, one.several[0], one.several[1])
    return {
        "into": _named(one.one),
        "customers": [_named(key) for key in one.several],
        "path": [_named(key) for key in path],
    }


def _split(one: Regrouped, near: Near, refused: dict[Any, str]) -> dict[str, Any]:
    path = walk(near, one.several[0], one.several[1])
    steps = [ordered(a, b) for a, b in pairwise(path)]
    reasons = [f"{_named(a)} – {_named(b)}: {refused[a, b]}" for a, b in steps if (a, b) in refused]
    return {
        "customer": _named(one.one),
        "into": [_named(key) for key in one.several],
        "path": [_named(key) for key in path],
        "now_refused": reasons,
    }


def _stored_links(evidence: Evidence) -> list[tuple[Key, Key]]:
    seen = [ordered(f.link.a, f.link.b) for f in evidence.links if f.verdict == LINKED]
    return seen + [m.pair for m in evidence.matched if m.verdict == LINKED]


def _named(key: Key) -> str:
    return f"{key.kind}:{key.value}"
