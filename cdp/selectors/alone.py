"""The honest baseline: the same shop with identity resolution off, each channel by itself.

The same pure functions (partition, survivorship, ranking) run over one channel's evidence
only, with the same artifact, so that the difference is what joining the channels is worth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import connection

from cdp.domain.consistency import Shown
from cdp.domain.identifiers import Key, says_one
from cdp.domain.partition import Link, Matches, Partition, partition
from cdp.domain.ranking import Touch
from cdp.domain.rules import Rules
from cdp.domain.slates import Ranker, slates
from cdp.models import ChannelFact
from cdp.selectors.exposures import Presented
from cdp.selectors.matchers import all_matches
from cdp.selectors.ranker import bought_again, serving_ranker, strangers_skus
from cdp.selectors.rules import active_rules

_LINKS = """
    SELECT a, b, min(e.occurred_at) FROM cdp_event e, unnest(e.identifiers) AS a,
           unnest(e.identifiers) AS b
    WHERE e.channel = %s AND a <= b GROUP BY a, b
"""
_EVENTS = """
    SELECT e.identifiers, e.occurred_at, e.message_id, e.parsed->'traits', e.verb,
           (SELECT array_agg(i.sku) FROM cdp_interaction i WHERE i.event_id = e.id)
    FROM cdp_event e
    WHERE e.channel = %s AND (e.verb <> '' OR e.parsed->'traits' <> '{}')
"""


@dataclass
class _Record:
    """What one channel alone knows of one of its customers."""

    touches: list[Touch]
    traits: dict[str, tuple[Any, Any]]
    ranked: list[str] | None = None


class ChannelAlone:
    """One channel's own customers, histories and slates."""

    def __init__(
        self,
        channel: str,
        ranker: Ranker | None,
        again: frozenset[int],
        keys: dict[int, Key],
        rules: Rules,
        matches: Matches,
    ) -> None:
        self.channel = channel
        self.ranker = ranker
        self.again = again
        self.rules = rules
        self.matches = matches
        self.keys = keys
        self.partition = self._partition()

    def shown(self, item: Presented, kind: str, showable: frozenset[str]) -> Shown:
        """The exposure as this channel, knowing only itself, would have made it."""
        key = self.keys[item.identifier]
        anchor = self.partition.anchor.get(key)
        served_as = f"{anchor.kind}:{anchor.value}" if anchor else f"stranger on {self.channel}"
        record = self.records.get(anchor) if anchor else None
        old = item.shown
        return Shown(
            self.channel, old.at, served_as,
            items=self._slate(record, len(old.items), showable) if kind == "slate" else (),
            facts=self._facts(old) if kind == "content" else {},
            traits={k: v for k, (_, v) in record.traits.items()} if record and kind == "profile" else {},
        )  # fmt: skip

    def known_as(self, item: Presented) -> frozenset[Key]:
        """Every identifier by which this channel alone knows the one who was presented."""
        key = self.keys[item.identifier]
        return self._members.get(self.partition.anchor.get(key, key), frozenset({key}))

    @cached_property
    def _members(self) -> dict[Key, frozenset[Key]]:
        return {anchor: frozenset(keys) for anchor, keys in self.partition.customers().items()}

    @cached_property
    def records(self) -> dict[Key, _Record]:
        index = self.ranker.index if self.ranker else {}
        records: dict[Key, _Record] = defaultdict(lambda: _Record([], {}))
        with connection.cursor() as cursor:
            cursor.execute(_EVENTS, [self.channel])
            for identifiers, at, message_id, traits, verb, skus in cursor:
                subject = self._subject(identifiers)
                if subject is None:
                    continue
                record = records[self.partition.anchor[subject]]
                when = int(at.timestamp() * 1000)
                known = (index[sku] for sku in skus or () if sku in index)
                record.touches += [Touch(product, verb, when) for product in known]
                for name, value in _loaded(traits).items():
                    newest = record.traits.get(name)
                    if newest is None or newest[0] < (at, message_id):
                        record.traits[name] = ((at, message_id), value)
        return dict(records)

    def _subject(self, identifiers: Iterable[int]) -> Key | None:
        keys = [self.keys[id_] for id_ in identifiers]
        own = [key for key in keys if key not in self.partition.shared] or keys
        return min(own, key=lambda key: (self.rules.rank[key.kind], key.value), default=None)

    def _slate(
        self, record: _Record | None, count: int, showable: frozenset[str]
    ) -> tuple[str, ...]:
        if self.ranker is None or record is None or not record.touches:
            ranked = self._strangers
        else:
            if record.ranked is None:  # the same for every exposure of the record
                # Plainly ranked: what is explored differs by history, and would make this worse.
                [items] = slates(self.ranker, [record.touches], 200, self.again)
                record.ranked = [item["sku"] for item in items]
            ranked = record.ranked or self._strangers  # as served where the touches say nothing
        return tuple(sku for sku in ranked if sku in showable)[:count]

    def _facts(self, old: Shown) -> dict[str, str]:
        """The facts the served text states, with the values of the channel's own records."""
        return {
            name: self._own_facts.get((sku, key), value)
            for name, value in old.facts.items()
            for sku, _, key in [name.rsplit("/", 2)]
        }

    @cached_property
    def _strangers(self) -> list[str]:
        return strangers_skus()

    @cached_property
    def _own_facts(self) -> dict[tuple[str, str], str]:
        rows = ChannelFact.objects.filter(channel=self.channel)
        return {
            (sku, key): value
            for sku, key, value in rows.values_list("product__sku", "key", "value")
        }

    def _partition(self) -> Partition:
        with connection.cursor() as cursor:
            cursor.execute(_LINKS, [self.channel])
            seen = [(self.keys[a], self.keys[b], at) for a, b, at in cursor]
        links = [Link(a, b, at) for a, b, at in seen if a == b or says_one(a.kind, b.kind)]
        return partition(links, [], self.rules, self.matches)


def channels_alone(channels: Iterable[str]) -> dict[str, ChannelAlone]:
    ranker, keys, rules, matches = serving_ranker(), _keys(), active_rules(), all_matches()
    again = bought_again(ranker.index) if ranker else frozenset()
    return {
        channel: ChannelAlone(channel, ranker, again, keys, rules, matches) for channel in channels
    }


def _keys() -> dict[int, Key]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, kind, value FROM cdp_identifier")
        return {id_: Key(kind, value) for id_, kind, value in cursor}


def _loaded(traits: Any) -> dict[str, Any]:
    import json

    return json.loads(traits) if isinstance(traits, str) else dict(traits or {})
