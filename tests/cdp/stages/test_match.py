"""Records of people that tills, forms and CRMs write down: matched, joined, asked about."""

from __future__ import annotations

import random
import threading
from itertools import permutations
from typing import Any

import pytest
from django.db import connection

from cdp import changing, deciding, outbox, pipeline
from cdp.domain.identifiers import Key
from cdp.domain.matching import blocking
from cdp.errors import CDPError
from cdp.models import Block, Decision, Label, Match, Matcher, Record, Source, Topic, Verdict
from cdp.selectors.explain import explain
from cdp.selectors.reviews import backlog, quality, sampled, waiting
from cdp.stages.register import register_source
from tests.cdp.planted import ALICE, BOB, adopt, candidate, customers, quiet, together
from tests.conftest import Sent, external, identify

TYPO = {**ALICE, "street": "1 Elm Street"}
YEAR = {**ALICE, "birthday": "1980-11-30", "street": "99 Far Away Rd"}


def drain() -> None:
    while pipeline.process_events() + pipeline.match_records():
        pass


def sound() -> bool:
    return sum(n for n, _ in changing.check_identity(quiet).values()) == 0


@pytest.mark.django_db
def test_a_till_without_identifiers_and_a_loyalty_card_are_one_customer(
    store: Source, send: Sent
) -> None:
    adopt()
    send(store, identify("m1", 1, traits=ALICE))
    send(store, identify("m2", 2, traits=TYPO, context=external(loyalty_card="L1")))
    send(store, identify("m3", 3, traits=BOB, context=external(loyalty_card="L2")))
    drain()
    assert together() == {
        frozenset({"loyalty_card:L1", "alice, ng, 1980-02-03, 1 elm st", "alice, ng, 1980-02-03, 1 elm street"}),
        frozenset({"loyalty_card:L2", "bob, ng, 1979-05-06, 1 elm st"}),
    }  # fmt: skip
    match = Match.objects.get(verdict="linked")
    assert match.weight == 15.0  # the same names and birth date, a street that is nearly the same
    found = Decision.objects.get(what="linked", reason__startswith="match")
    assert (found.a_id, found.b_id, found.reason) == (match.a_id, match.b_id, "match of 15.0 bits")
    assert found.actor == f"matcher {Matcher.objects.get().pk}"
    assert sound()


@pytest.mark.django_db
def test_without_a_matcher_records_wait_and_adopting_one_takes_them_all(
    store: Source, send: Sent
) -> None:
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    drain()
    assert len(customers()) == 2 and not Match.objects.exists()
    assert not outbox.waiting(Topic.RECORDS)
    report = adopt().report["changed"]
    assert (report["customers_before"], report["customers_after"], report["merged"]) == (2, 1, 1)
    assert len(customers()) == 1 and sound()


@pytest.mark.django_db
def test_a_simulated_adoption_says_what_it_would_do_and_changes_nothing(
    store: Source, send: Sent
) -> None:
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    drain()
    made = candidate()
    foretold = changing.adopt_matcher(made.pk, "test", quiet, simulate=True).report["changed"]
    made.refresh_from_db()
    assert made.status == "candidate" and not Match.objects.exists() and len(customers()) == 2
    assert changing.adopt_matcher(made.pk, "test", quiet).report["changed"] == foretold


@pytest.mark.django_db
def test_moving_the_thresholds_splits_again(store: Source, send: Sent) -> None:
    made = adopt()
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    drain()
    before = together()
    changing.adopt_matcher(made.pk, "test", quiet, changing.Thresholds(16.0, 4.0))
    assert len(customers()) == 2 and Match.objects.get().verdict == "review"
    changing.adopt_matcher(made.pk, "test", quiet, changing.Thresholds(10.0, 4.0))
    assert together() == before and sound()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("merge_at", "review_at", "field"),
    [(101, 4, "merge_at"), (5, -1, "review_at"), (5, 6, "review_at")],
)
def test_thresholds_out_of_order_are_refused(merge_at: float, review_at: float, field: str) -> None:
    with pytest.raises(CDPError) as caught:
        changing.Thresholds(merge_at, review_at)
    assert (caught.value.code, caught.value.field) == ("bad_thresholds", field)


@pytest.mark.django_db
def test_one_close_pair_does_not_chain_two_people(store: Source, send: Sent) -> None:
    """Alice's mistyped record is near to Bob's, but her other records are not."""
    adopt(merge_at=7.0, review_at=1.0)
    mixed = {**BOB, "firstName": "Alice", "birthday": ""}
    send(store, identify("m1", 1, traits=BOB, context=external(loyalty_card="L2")))
    send(store, identify("m2", 2, traits=ALICE, context=external(loyalty_card="L1")))
    send(store, identify("m3", 3, traits=mixed, context=external(loyalty_card="L1")))
    drain()
    assert len(customers()) == 2
    verdicts = {m.weight: m.verdict for m in Match.objects.all()}
    assert verdicts == {12.0: "linked", 9.0: "unlike", 3.0: "review"} and sound()


@pytest.mark.django_db
def test_a_limit_holds_against_a_match(store: Source, send: Sent) -> None:
    adopt()
    send(store, identify("m1", 1, traits=ALICE, context=external(crm_id="C1")))
    send(store, identify("m2", 2, traits=TYPO, context=external(crm_id="C2")))
    drain()
    assert len(customers()) == 2
    assert Match.objects.get().verdict == "limit:crm_id"
    assert Decision.objects.filter(
        what="refused", reason="limit:crm_id (match of 15.0 bits)"
    ).exists()


def _asked(store: Source, send: Sent) -> Match:
    adopt()
    send(store, identify("m1", 1, traits=ALICE, context=external(loyalty_card="L1")))
    send(store, identify("m2", 2, traits={**YEAR, "birthday": ALICE["birthday"]}))
    drain()
    [match] = Match.objects.all()
    assert (match.verdict, match.weight, waiting(), backlog()) == ("review", 6.0, match.pk, 1)
    return match


@pytest.mark.django_db
@pytest.mark.parametrize(("same", "count"), [(True, 1), (False, 2)])
def test_a_review_becomes_an_assertion_and_a_label_and_can_be_undone(
    store: Source, send: Sent, same: bool, count: int
) -> None:
    match = _asked(store, send)
    label = deciding.review(match.pk, same, "ann", "looked at both")
    assert len(customers()) == count and (waiting(), backlog()) == (None, 0)
    verdict = Verdict.MUST_LINK if same else Verdict.CANNOT_LINK
    assert (label.assertion.verdict, label.weight, label.shown_as) == (verdict, 6.0, "review")
    deciding.retract_assertion(label.assertion_id, "ann", "looked again")
    assert len(customers()) == 2 and waiting() == match.pk
    deciding.review(match.pk, not same, "ann", "now I am sure")
    assert Label.objects.count() == 2 and sound()


@pytest.mark.django_db
def test_the_second_of_two_reviewers_is_told_and_nothing_changes(store: Source, send: Sent) -> None:
    match = _asked(store, send)
    deciding.review(match.pk, True, "ann", "the same")
    before = together()
    with pytest.raises(CDPError) as caught:
        deciding.review(match.pk, False, "bob", "different")
    assert caught.value.code == "already_reviewed" and "ann" in caught.value.message
    assert together() == before and Label.objects.count() == 1


@pytest.mark.django_db
def test_a_review_of_a_match_that_is_gone(store: Source, send: Sent) -> None:
    with pytest.raises(CDPError) as caught:
        deciding.review(7_000_000, True, "ann", "the same")
    assert caught.value.code == "no_such_match"


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_one_wins(store: Source, send: Sent) -> None:
    match = _asked(store, send)
    said: list[str] = []

    def work(same: bool) -> None:
        try:
            deciding.review(match.pk, same, f"says {same}", "looked")
            said.append("done")
        except CDPError as error:
            said.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(same,)) for same in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["already_reviewed", "done"]
    assert Label.objects.count() == 1 and sound()


@pytest.mark.django_db
def test_quality_counts_each_label_for_its_sort(store: Source, send: Sent) -> None:
    adopt()
    people = [
        {**ALICE, "lastName": f"Nam{c}", "birthday": f"19{n + 10}-01-01"}
        for n, c in enumerate("abcd")
    ]
    for n, person in enumerate(people):
        send(store, identify(f"a{n}", 1, traits=person))
        send(store, identify(f"b{n}", 1, traits={**person, "street": "1 Elm Street"}))
        send(
            store,
            identify(f"c{n}", 1, traits={**person, "street": "77 Other Way", "firstName": "Bo"}),
        )
    drain()
    found = quality()
    assert found["precision_at_merge"] is None and found["labels"] == 0
    first = sampled()
    assert first is not None
    deciding.review(first, True, "ann", "sampled")
    second = sampled()
    assert second not in (None, first)
    deciding.review(second or 0, False, "ann", "sampled")
    assert quality()["precision_at_merge"].value == 0.5


@pytest.mark.django_db
def test_explain_names_the_match(store: Source, send: Sent) -> None:
    adopt()
    send(store, identify("m1", 1, traits=ALICE, context=external(loyalty_card="L1")))
    send(store, identify("m2", 2, traits=TYPO, context=external(loyalty_card="L2")))
    drain()
    found = explain(Key("loyalty_card", "L1"), Key("loyalty_card", "L2"))
    assert found.one
    assert [step.weight for step in found.steps] == [None, 15.0, None]
    assert "match of 15.0 bits" in str(found.steps[1])


# --- whatever the order --------------------------------------------------------------------------


def _people(seed: int, count: int) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    messages = []
    for n in range(count):
        traits = {
            "firstName": dice.choice(["Ann", "Anna", "Ben"]), "lastName": dice.choice(["Lee", "Li", "Roy"]),
            "birthday": f"198{dice.randrange(3)}-01-0{1 + dice.randrange(3)}",
            "street": f"{1 + dice.randrange(2)} Elm St",
        }  # fmt: skip
        if dice.random() < 0.2:
            del traits["birthday"]
        ids = external(loyalty_card=f"L{dice.randrange(8)}") if dice.random() < 0.4 else {}
        messages.append(identify(f"m{n}", n, traits=traits, context=ids))
    return messages


def _state() -> Any:
    words = {
        f"record:{r.identifier.value}": str(r) for r in Record.objects.select_related("identifier")
    }
    matches = {
        (frozenset((m.a.identifier.value, m.b.identifier.value)), m.weight, m.verdict)
        for m in Match.objects.select_related("a__identifier", "b__identifier")
    }
    return together(), matches, words


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_order_and_batches_do_not_matter_even_where_blocks_overflow(
    seed: int, store: Source, send: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "MOST", 5)
    messages = _people(seed, 40)
    states = []
    for turn in range(3):
        from django.db import transaction

        with transaction.atomic():
            adopt(merge_at=12.0, review_at=2.0)
            random.Random(turn).shuffle(messages)
            size = (1, 7, 40)[turn]
            for start in range(0, len(messages), size):
                send(store, *messages[start : start + size])
                drain()
            assert sound()
            states.append(_state())
            transaction.set_rollback(True)
    assert states[0] == states[1] == states[2]
    assert len(states[0][1]) > 3


@pytest.mark.django_db
def test_a_key_that_outgrows_its_block_is_closed(
    store: Source, send: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "MOST", 3)
    adopt()
    same = [{**ALICE, "street": f"{n} Elm St"} for n in range(5)]
    for n, traits in enumerate(same[:3]):
        send(store, identify(f"m{n}", n, traits=traits))
        drain()
    assert len(customers()) == 1
    send(store, identify("m3", 3, traits=same[3]))
    drain()
    assert len(customers()) == 4 and not Match.objects.exists()
    closed = Block.objects.extra(where=["cardinality(records) > 3"]).count()
    assert closed > 3 and sound()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [11, 12])
def test_workers_side_by_side_match_like_one(
    seed: int, send: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "MOST", 6)
    source, _ = register_source("store-tills", "store")
    adopt(merge_at=12.0, review_at=2.0)
    messages = _people(seed, 80)
    for start in range(0, len(messages), 4):
        send(source, *messages[start : start + 4])
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while outbox.waiting(Topic.EVENTS) + outbox.waiting(Topic.RECORDS):
                pipeline.process_events(limit=1)
                pipeline.match_records(limit=1)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures and not outbox.parked() and sound()


def test_pairs_are_a_function_of_the_set() -> None:
    rows = [(1, "ab"), (2, "bc"), (3, "ac")]
    assert {frozenset(blocking.pairs(blocking.blocks(order))) for order in permutations(rows)} == {
        frozenset({(1, 2), (2, 3), (1, 3)})
    }


# --- what a review by fresh eyes broke -----------------------------------------------------------


@pytest.mark.django_db
def test_a_till_joins_nobody_who_is_written_down_on_it(store: Source, send: Sent) -> None:
    carol = {**BOB, "firstName": "Carol", "birthday": "1955-01-01"}
    for n, (person, device) in enumerate([(ALICE, "till-7"), (BOB, "till-7"), (ALICE, "till-8"), (carol, "till-8")]):  # fmt: skip
        send(store, identify(f"m{n}", n, traits=person, anonymousId=device))
    drain()
    assert together() == {frozenset({"cookie:till-7"}), frozenset({"cookie:till-8"})} | {
        frozenset({str(record)}) for record in Record.objects.all()
    }
    assert sound()
    changing.rebuild_identity("ops", quiet)
    assert len(customers()) == 5 and sound()


@pytest.mark.django_db
def test_the_traits_of_a_group_are_no_person(web: Source, send: Sent) -> None:
    traits = {
        "name": "Initech Ltd",
        "address": {"street": "1 Main St", "postalCode": "12345"},
        "email": "info@initech.example",
    }
    for n in range(3):
        message = identify(f"m{n}", n, anonymousId=f"ck-{n}", groupId="g", traits=traits)
        send(web, {**message, "type": "group"})
    drain()
    assert together() == {frozenset({f"cookie:ck-{n}"}) for n in range(3)}


@pytest.mark.django_db
def test_pairs_that_disagree_count_against_a_group_whatever_the_review_threshold(
    store: Source, send: Sent
) -> None:
    """A shared card: the till's Alice agrees with one of its two people and not with the other."""
    zoltan = {
        "firstName": "Zoltan",
        "lastName": "Quist",
        "birthday": "1931-12-12",
        "street": "Harbour 9",
    }
    made = adopt(merge_at=8.0, review_at=4.0)
    send(store, identify("m1", 1, traits=ALICE, context=external(loyalty_card="L1")))
    send(store, identify("m2", 2, traits=zoltan, context=external(loyalty_card="L1")))
    send(store, identify("m3", 3, traits={**ALICE, "street": "1 Elm Street"}))
    drain()
    assert [(m.verdict, m.weight) for m in Match.objects.all()] == [("unlike", 15.0)]
    for review_at in (0.0, 8.0):
        changing.adopt_matcher(made.pk, "ops", quiet, changing.Thresholds(8.0, review_at))
        assert len(customers()) == 2 and sound()


@pytest.mark.django_db
def test_the_order_of_a_messages_keys_does_not_matter(store: Source, send: Sent) -> None:
    one = {
        **ALICE,
        "telephone": "111",
        "mobile": "222",
        "address": {"postalCode": "AB1"},
        "zip": "CD2",
    }
    send(store, identify("m1", 1, traits=one))
    send(store, identify("m2", 2, traits=dict(reversed(one.items()))))
    drain()
    assert Record.objects.count() == 1 and sound()


@pytest.mark.django_db
def test_a_record_that_comes_back_finds_its_match_again(store: Source, send: Sent) -> None:
    adopt()
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    drain()
    [match] = Match.objects.select_related("a__identifier")
    with connection.cursor() as cursor:  # as when rules take a record out of every event
        cursor.execute("UPDATE cdp_identifier SET customer_id = NULL, component = id, gone_at = now() WHERE id = %s", [match.a_id])  # fmt: skip
        cursor.execute("UPDATE cdp_match SET verdict = ''")
    assert len(customers()) == 1
    send(store, identify("m3", 3, traits=ALICE if "elm st" in str(match.a)[-7:] else TYPO))
    drain()
    assert [len(members) for members in together()] == [2]
    assert Match.objects.get().verdict == "linked"


@pytest.mark.django_db
def test_rules_that_share_records_are_undone(store: Source, send: Sent) -> None:
    from cdp.domain.rules import DEFAULT_RULES
    from cdp.domain.rules_file import to_document

    adopt()
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    drain()
    before = together()
    owned, plain = to_document(DEFAULT_RULES), to_document(DEFAULT_RULES)
    owned["kinds"]["record"]["shop_owned"] = [".*"]
    for document, count in ((owned, 2), (plain, 1)):
        number = changing.draft_rules(document, "ops", "try").pk
        foretold = changing.simulate_rules(number, quiet).simulation or {}
        outcome = changing.apply_rules(number, "ops", quiet).outcome or {}
        assert outcome["digest"] == foretold["digest"] and len(customers()) == count and sound()
    assert together() == before


@pytest.mark.django_db
def test_a_request_to_adopt_that_is_done_is_not_done_again() -> None:
    first, second = candidate(), candidate()
    chosen = changing.Thresholds(10.0, 4.0)
    changing.ask_matcher(first.pk, "ann", chosen)
    with pytest.raises(CDPError, match="waits for a worker"):
        changing.ask_matcher(first.pk, "ann", chosen)
    [message] = outbox.peekable(Topic.RULES)
    assert changing.process_rules() == 1
    first.refresh_from_db()
    assert (first.status, first.doing) == ("active", "")
    changing.adopt_matcher(second.pk, "bob", quiet)
    message.pk = None
    message.save()  # as when the worker died before it could be deleted
    assert changing.process_rules() == 1
    second.refresh_from_db()
    assert second.status == "active"


@pytest.mark.django_db
def test_a_request_that_fails_says_so_and_lets_the_next_one_through() -> None:
    made = candidate()
    changing.ask_matcher(made.pk, "ann", changing.Thresholds(10.0, 4.0))
    Matcher.objects.filter(pk=made.pk).update(document={})
    assert changing.process_rules() == 1
    made.refresh_from_db()
    assert (made.status, made.doing) == ("candidate", "") and "KeyError" in made.error


@pytest.mark.django_db
def test_to_do_without_a_matcher_parts_what_only_matches_joined(store: Source, send: Sent) -> None:
    with pytest.raises(CDPError, match="no matcher is active"):
        changing.retire_matcher("ops", quiet)
    made = adopt()
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    drain()
    joined = together()
    report = changing.retire_matcher("ops", quiet, simulate=True).report["changed"]
    assert report["split"] == 1 and together() == joined
    changing.retire_matcher("ops", quiet)
    assert len(customers()) == 2 and not Match.objects.exists() and sound()
    changing.adopt_matcher(made.pk, "ops", quiet)
    assert together() == joined and sound()


@pytest.mark.django_db
def test_labels_count_for_what_their_pair_weighs_now(store: Source, send: Sent) -> None:
    made = adopt()
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    drain()
    deciding.review(Match.objects.get().pk, True, "ann", "sampled")
    assert quality()["precision_at_merge"].value == 1.0
    changing.adopt_matcher(made.pk, "ops", quiet, changing.Thresholds(16.0, 4.0))
    found = quality()
    assert (found["precision_at_merge"], found["same_between"].value) == (None, 1.0)
    changing.adopt_matcher(made.pk, "ops", quiet, changing.Thresholds(18.0, 16.0))
    assert quality()["labels"] == 0


@pytest.mark.django_db
def test_records_that_are_still_waiting_are_no_difference(store: Source, send: Sent) -> None:
    adopt()
    send(store, identify("m1", 1, traits=ALICE), identify("m2", 2, traits=TYPO))
    while pipeline.process_events():
        pass
    assert outbox.waiting(Topic.RECORDS) and sound()


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["a\x00b", "x" * 2001, "\ud800"])
def test_a_reason_that_cannot_be_kept_is_refused(store: Source, send: Sent, reason: str) -> None:
    match = _asked(store, send)
    with pytest.raises(CDPError) as caught:
        deciding.review(match.pk, True, "ann", reason)
    assert (caught.value.code, caught.value.field) == ("bad_reason", "reason")
    assert waiting() == match.pk


@pytest.mark.django_db(transaction=True)
def test_a_reviewer_does_not_kill_an_adoption(store: Source, send: Sent) -> None:
    """Both take the lock of the rules before any row: one waits, none is a deadlock's victim."""
    from cdp.identity import matching

    match = _asked(store, send)
    weighing, clicked = threading.Event(), threading.Event()
    tries: list[str] = []
    made = candidate()
    real = matching._replace

    def slow(*arguments: Any) -> None:
        tries.append("replace")
        weighing.set()
        clicked.wait(5)
        real(*arguments)

    def click() -> None:
        weighing.wait(10)
        threading.Timer(0.5, clicked.set).start()
        try:
            deciding.review(match.pk, True, "ann", "the same")
        except CDPError as error:  # its match has made way for a new one
            tries.append(error.code)
        finally:
            connection.close()

    reviewer = threading.Thread(target=click)
    reviewer.start()
    matching._replace = slow
    try:
        changing.adopt_matcher(made.pk, "ops", quiet)
    finally:
        matching._replace = real
        reviewer.join(20)
    assert tries == ["replace", "no_such_match"] and sound()


@pytest.mark.django_db
def test_of_matchers_that_nobody_asked_for_only_a_few_are_kept() -> None:
    kept = [
        changing.keep_matcher(
            {}, changing.Thresholds(10.0, 4.0), records=n, backend="x", actor=actor, report={}
        ).pk
        for n, actor in enumerate(["schedule", "ann", "schedule", "schedule", "schedule"])
    ]
    assert set(Matcher.objects.values_list("pk", flat=True)) == set(kept[1:])
