"""The algebra of identity."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.domain.identifiers import Key
from cdp.domain.partition import Assertion, Link, Partition, partition
from cdp.domain.rules import DEFAULT_RULES, Rules

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("user_id", "crm_id", "loyalty_card", "email", "device_id", "cookie")


def key(name: str) -> Key:
    """``user_id:u1`` as a key."""
    return Key(*name.split(":"))


def link(a: str, b: str, day: int = 0) -> Link:
    return Link(key(a), key(b), START + timedelta(days=day))


def groups(result: Partition) -> set[frozenset[Key]]:
    return {frozenset(members) for members in result.customers().values()}


def together(*names: str) -> frozenset[Key]:
    return frozenset(key(name) for name in names)


def test_identifiers_seen_together_are_one_customer() -> None:
    """Alice: a browser, then her account, then her e-mail."""
    result = partition(
        [link("cookie:c1", "cookie:c1"), link("cookie:c1", "user_id:alice"), link("user_id:alice", "email:a@x.y")],
        [], DEFAULT_RULES,
    )  # fmt: skip
    assert groups(result) == {together("cookie:c1", "user_id:alice", "email:a@x.y")}


def test_two_accounts_on_one_tablet_stay_two_people() -> None:
    """Bob shares a tablet with Dana: the tablet joins one of them, the other link is refused."""
    result = partition(
        [link("cookie:tablet", "user_id:bob"), link("cookie:tablet", "user_id:dana", 1)],
        [], DEFAULT_RULES,
    )  # fmt: skip
    assert result.anchor[key("user_id:bob")] != result.anchor[key("user_id:dana")]
    assert [(r.a, r.b, r.reason) for r in result.refused] == [
        (key("cookie:tablet"), key("user_id:dana"), "limit:user_id")
    ]


def test_a_till_seen_with_many_cards_is_shared_and_joins_nobody() -> None:
    links = [link("cookie:till", f"loyalty_card:L{n}", n) for n in range(4)]
    result = partition(links, [], DEFAULT_RULES)
    assert result.shared == {key("cookie:till")}
    assert len(groups(result)) == 5
    assert {r.reason for r in result.refused} == {"shared"}


def test_three_cards_are_within_the_limit() -> None:
    links = [link("cookie:home", f"loyalty_card:L{n}", n) for n in range(3)]
    result = partition(links, [], DEFAULT_RULES)
    assert result.shared == frozenset()
    assert len(groups(result)) == 1


def test_cannot_link_outlives_all_evidence() -> None:
    links = [link("cookie:c1", "email:a@x.y"), link("cookie:c1", "email:b@x.y")]
    apart = [Assertion(key("email:a@x.y"), key("email:b@x.y"), must=False)]
    more = [link("cookie:c2", "email:a@x.y"), link("cookie:c2", "email:b@x.y")]
    for evidence in (links, links + more):
        result = partition(evidence, apart, DEFAULT_RULES)
        assert result.anchor[key("email:a@x.y")] != result.anchor[key("email:b@x.y")]


def test_must_link_joins_what_was_never_seen_together_and_may_exceed_a_limit() -> None:
    links = [link("user_id:u1", "user_id:u1"), link("user_id:u2", "user_id:u2")]
    said = [Assertion(key("user_id:u2"), key("user_id:u1"), must=True)]
    assert groups(partition(links, said, DEFAULT_RULES)) == {together("user_id:u1", "user_id:u2")}


def test_the_id_is_anchored_on_the_oldest_then_strongest_identifier() -> None:
    oldest = partition(
        [link("cookie:c1", "cookie:c1", 1), link("cookie:c1", "user_id:u1", 2)], [], DEFAULT_RULES
    )
    assert set(oldest.anchor.values()) == {key("cookie:c1")}
    strongest = partition([link("cookie:c1", "user_id:u1", 2)], [], DEFAULT_RULES)
    assert set(strongest.anchor.values()) == {key("user_id:u1")}


def test_a_split_gives_the_old_ids_back() -> None:
    alone = partition(
        [link("email:a@x.y", "email:a@x.y"), link("email:b@x.y", "email:b@x.y", 1)],
        [],
        DEFAULT_RULES,
    )
    links = [
        link("email:a@x.y", "email:b@x.y", 2),
        link("email:a@x.y", "email:a@x.y"),
        link("email:b@x.y", "email:b@x.y", 1),
    ]
    merged = partition(links, [], DEFAULT_RULES)
    split = partition(
        links, [Assertion(key("email:a@x.y"), key("email:b@x.y"), must=False)], DEFAULT_RULES
    )
    assert merged.anchor[key("email:b@x.y")] == key("email:a@x.y")
    assert split.anchor == alone.anchor


def test_the_known_order_dependence_of_others_is_absent() -> None:
    """(a, crm x) then (b, crm x), and the other way round: the pair that differs elsewhere."""
    one, two = link("user_id:a", "crm_id:x"), link("user_id:b", "crm_id:x", 1)
    assert partition([one, two], [], DEFAULT_RULES) == partition([two, one], [], DEFAULT_RULES)


keys = st.builds(Key, st.sampled_from(KINDS), st.sampled_from(["1", "2", "3", "4"]))
links_ = st.lists(
    st.builds(
        lambda a, b, day: Link(min(a, b), max(a, b), START + timedelta(days=day)),
        keys, keys, st.integers(0, 9),
    ),
    max_size=25,
)  # fmt: skip
assertions_ = st.lists(
    st.builds(Assertion, keys, keys, st.booleans()).filter(lambda w: w.a != w.b), max_size=3
)


@settings(max_examples=300, deadline=None)
@given(links_, assertions_, st.randoms())
def test_order_and_repetition_change_nothing(
    links: list[Link], said: list[Assertion], dice: object
) -> None:
    shuffled = links + links
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    expected = partition(links, said, DEFAULT_RULES)
    assert partition(shuffled, said[::-1], DEFAULT_RULES).anchor == expected.anchor


@settings(max_examples=300, deadline=None)
@given(links_, assertions_)
def test_every_identifier_has_exactly_one_customer_within_its_limits(
    links: list[Link], said: list[Assertion]
) -> None:
    result = partition(links, said, DEFAULT_RULES)
    assert set(result.anchor) == {k for x in links for k in (x.a, x.b)} | {
        k for w in said for k in (w.a, w.b)
    }
    by_hand = {k for word in said if word.must for k in (word.a, word.b)}
    for anchor, members in result.customers().items():
        assert result.anchor[anchor] == anchor
        for kind, limit in DEFAULT_RULES.max_per_customer.items():
            held = [m for m in members if m.kind == kind]
            assert len(held) <= limit or by_hand & set(members)
    for word in said:
        if not word.must:
            assert result.anchor[word.a] != result.anchor[word.b]


@settings(max_examples=200, deadline=None)
@given(links_)
def test_no_merge_without_a_path_of_evidence(links: list[Link]) -> None:
    result = partition(links, [], DEFAULT_RULES)
    near: dict[Key, set[Key]] = {}
    for item in links:
        near.setdefault(item.a, set()).add(item.b)
        near.setdefault(item.b, set()).add(item.a)
    for members in result.customers().values():
        reached, queue = {members[0]}, [members[0]]
        while queue:
            for other in near.get(queue.pop(), set()) & set(members) - reached:
                reached.add(other)
                queue.append(other)
        assert reached == set(members)


@settings(max_examples=200, deadline=None)
@given(links_, keys, keys, st.booleans())
def test_assert_then_retract_is_the_identity(links: list[Link], a: Key, b: Key, must: bool) -> None:
    before = partition(links, [], DEFAULT_RULES)
    partition(links, [Assertion(a, b, must)], DEFAULT_RULES)
    assert partition(links, [], DEFAULT_RULES) == before


def test_rules_there_and_back_restore() -> None:
    links = [link("cookie:c", f"loyalty_card:L{n}") for n in range(4)]
    kinds = dict(DEFAULT_RULES.kinds)
    kinds["cookie"] = replace(kinds["cookie"], max_neighbours=9)
    strict, loose = DEFAULT_RULES, Rules(version="2", kinds=kinds)
    first = partition(links, [], strict)
    assert partition(links, [], loose) != first
    assert partition(links, [], strict) == first


@pytest.mark.parametrize("size", [2, 5])
def test_a_full_clique_is_one_customer(size: int) -> None:
    names = [f"email:e{n}@x.y" for n in range(size)]
    assert (
        len(groups(partition([link(a, b) for a, b in combinations(names, 2)], [], DEFAULT_RULES)))
        == 1
    )


def with_kind(kind: str, **changes: object) -> Rules:
    kinds = dict(DEFAULT_RULES.kinds)
    kinds[kind] = replace(kinds[kind], **changes)  # type: ignore[arg-type]
    return Rules(version="2", kinds=kinds)


def test_the_shops_own_kiosk_joins_nobody_from_the_first_event() -> None:
    rules = with_kind("device_id", shop_owned=("kiosk-.*",))
    links = [link("device_id:Kiosk-7", "user_id:alice"), link("device_id:phone", "user_id:alice")]
    result = partition(links, [], rules)
    assert result.shared == {key("device_id:Kiosk-7")}
    assert [(r.b, r.reason) for r in result.refused] == [(key("user_id:alice"), "shop_owned")]
    assert together("device_id:phone", "user_id:alice") in groups(result)


def test_a_link_not_seen_for_long_expires_and_counts_again_when_seen_again() -> None:
    rules = replace(with_kind("cookie", expires_after_days=30), as_of=START + timedelta(days=60))
    old = replace(link("cookie:c1", "user_id:u1"), last_at=START + timedelta(days=29))
    fresh = replace(old, last_at=START + timedelta(days=30))
    assert len(groups(partition([old], [], rules))) == 2
    assert [r.reason for r in partition([old], [], rules).refused] == ["expired"]
    assert len(groups(partition([fresh], [], rules))) == 1


def test_expired_links_make_nobody_shared() -> None:
    rules = replace(with_kind("cookie", expires_after_days=30), as_of=START + timedelta(days=60))
    links = [replace(link("cookie:c", f"user_id:u{n}"), last_at=START) for n in range(9)]
    assert partition(links, [], rules).shared == frozenset()
    assert partition(links, [], replace(rules, as_of=START)).shared == {key("cookie:c")}
