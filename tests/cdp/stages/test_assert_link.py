"""A person's word, and taking it back."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from cdp import deciding, pipeline
from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.models import Assertion, Decision, Identifier, Profile, Source, Verdict
from tests.conftest import Sent, graph_contents, identify, sound_profiles, track

A, B = Key("email", "a@mail.example"), Key("email", "b@mail.example")


def membership() -> dict[str, str]:
    return {str(row): str(row.customer) for row in Identifier.objects.select_related("customer")}


def profiles() -> list[tuple[object, ...]]:
    rows = Profile.objects.filter(absorbed=False).order_by("customer")
    return list(rows.values_list("customer_id", "traits", "counters"))


@pytest.fixture
def home(web: Source, send: Sent) -> None:
    """Two people on one cookie: one customer by the evidence; and a third, alone."""
    send(web, identify("m1", 1, anonymousId="ck", traits={"email": A.value, "name": "A"}))
    send(web, identify("m2", 2, anonymousId="ck", traits={"email": B.value, "name": "B"}))
    send(web, track("m3", "Product Viewed", 3, userId="dana", properties={"sku": "T1", "price": 2}))
    while pipeline.process_events():
        pass


@pytest.mark.django_db(transaction=True)
def test_a_split_and_its_retraction_restore_everything(
    graph: str, home: None, web: Source, send: Sent
) -> None:
    pipeline.drain()
    before = membership(), profiles(), graph_contents()
    said = deciding.assert_link(A, B, Verdict.CANNOT_LINK, "ops", "two sisters")
    pipeline.drain()
    apart = membership()
    assert apart[f"email:{A.value}"] != apart[f"email:{B.value}"]
    assert len(graph_contents()["customers"]) == 3
    assert sound_profiles()
    moves = Decision.objects.filter(what="split")
    assert {(d.actor, d.reason) for d in moves} == {(said.actor, f"assertion {said.pk}")}
    send(web, identify("m4", 4, anonymousId="ck", traits={"email": B.value}))
    pipeline.drain()
    assert membership()[f"email:{A.value}"] != membership()[f"email:{B.value}"]
    deciding.retract_assertion(said.pk, "ops", "they are one after all")
    pipeline.drain()
    assert membership() == before[0]
    assert [p[0] for p in profiles()] == [p[0] for p in before[1]]
    assert graph_contents()["customers"] == before[2]["customers"]
    assert sum(n for n, _ in pipeline.check_graph().values()) == 0
    assert sound_profiles()


@pytest.mark.django_db
def test_a_merge_by_hand_and_its_retraction(home: None) -> None:
    before = membership(), profiles()
    said = deciding.assert_link(A, Key("user_id", "dana"), Verdict.MUST_LINK, "ops", "she called")
    assert len(set(membership().values())) == 1
    deciding.retract_assertion(said.pk, "ops", "wrong caller")
    assert (membership(), profiles()) == before
    assert sound_profiles()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("a", "b", "reason", "code"),
    [
        (A, A, "x", "same_identifier"),
        (A, Key("email", "nobody@mail.example"), "x", "no_such_identifier"),
        (A, B, "  ", "missing_reason"),
    ],
)
def test_bad_assertions_change_nothing(home: None, a: Key, b: Key, reason: str, code: str) -> None:
    before = membership()
    with pytest.raises(CDPError) as error:
        deciding.assert_link(a, b, Verdict.MUST_LINK, "ops", reason)
    assert error.value.code == code
    assert (membership(), Assertion.objects.count()) == (before, 0)


@pytest.mark.django_db
def test_contradictions_and_second_retractions_are_refused(home: None) -> None:
    said = deciding.assert_link(A, B, Verdict.CANNOT_LINK, "ops", "sisters")
    with pytest.raises(CDPError, match="contradiction"):
        deciding.assert_link(B, A, Verdict.MUST_LINK, "ops", "no")
    deciding.retract_assertion(said.pk, "ops", "x")
    with pytest.raises(CDPError, match="already_retracted"):
        deciding.retract_assertion(said.pk, "ops", "x")
    with pytest.raises(CDPError, match="no_such_assertion"):
        deciding.retract_assertion(999_999, "ops", "x")


@pytest.mark.django_db
def test_from_the_command_line(home: None) -> None:
    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("identity", *arguments, stdout=out)
        return out.getvalue()

    assert "one customer" in run("explain", "email:A@mail.example", "cookie:ck")
    assert "cookie:ck – email:a@mail.example: identify" in run(
        "explain", "cookie:ck", "email:a@mail.example"
    )
    said = run("cannot", "email:a@mail.example", "email:b@mail.example", "--reason", "sisters")
    assert "cannot_link" in said
    assert "two customers" in run("explain", "email:a@mail.example", "email:b@mail.example")
    assert "retracted" in run("retract", said.split()[1].rstrip(":"), "--reason", "no")
    with pytest.raises(CommandError, match="bad_identifier"):
        run("explain", "a", "b")


@pytest.mark.django_db
def test_words_that_cannot_all_be_kept_are_refused_and_nothing_changes(home: None) -> None:
    """Must A–dana and must dana–B, then cannot A–B: a circle of contradictions."""
    dana = Key("user_id", "dana")
    deciding.assert_link(A, dana, Verdict.MUST_LINK, "ops", "one")
    deciding.assert_link(dana, B, Verdict.MUST_LINK, "ops", "two")
    before = membership(), Assertion.objects.count(), Decision.objects.count()
    with pytest.raises(CDPError, match="never are") as error:
        deciding.assert_link(A, B, Verdict.CANNOT_LINK, "ops", "three")
    assert error.value.code == "contradiction"
    assert (membership(), Assertion.objects.count(), Decision.objects.count()) == before


@pytest.mark.django_db
def test_customers_are_merged_and_split_by_their_ids_and_undone_in_one(home: None) -> None:
    before = membership(), profiles()
    ids = {str(row): str(row.customer) for row in Identifier.objects.select_related("customer")}
    word = deciding.merge_customers(ids["cookie:ck"], ids["user_id:dana"], "ops", "she called")
    assert len(set(membership().values())) == 1
    merged = membership()["cookie:ck"]
    leaving = Identifier.objects.filter(value__in=[B.value, "dana"])
    with pytest.raises(CDPError, match="contradiction"):
        deciding.split_customer(merged, [row.pk for row in leaving], "ops", "no")
    alone = Identifier.objects.get(value=B.value)
    split = deciding.split_customer(merged, [alone.pk], "ops", "a sister")
    assert Assertion.objects.filter(together=split.pk).count() == 3
    assert membership()[f"email:{B.value}"] not in (membership()["cookie:ck"], merged)
    deciding.retract_assertion(split.pk, "ops", "x")
    deciding.retract_assertion(word.pk, "ops", "x")
    assert (membership(), profiles()) == before
    assert sound_profiles()


@pytest.mark.django_db
def test_a_rehearsal_shows_what_would_move_and_changes_nothing(home: None) -> None:
    before = membership(), profiles(), Decision.objects.count()
    ids = dict(before[0])
    found = deciding.rehearse(
        lambda: deciding.merge_customers(ids["user_id:dana"], ids["cookie:ck"], "ops", "x")
    )
    assert [(m.identifier, m.old, m.new) for m in found.moves] == [
        ("user_id:dana", ids["user_id:dana"], ids["cookie:ck"])
    ]
    assert (membership(), profiles(), Decision.objects.count()) == before


@pytest.mark.django_db
def test_an_undo_that_cannot_be_exact_says_so(home: None, web: Source, send: Sent) -> None:
    """Merged by hand, then seen on one cookie: taking the word back parts nobody."""
    ids = membership()
    word = deciding.merge_customers(ids["user_id:dana"], ids["cookie:ck"], "ops", "x")
    send(web, identify("m5", 5, userId="dana", anonymousId="ck"))
    while pipeline.process_events():
        pass
    found = deciding.rehearse(lambda: deciding.retract_assertion(word.pk, "ops", "x"))
    assert found.moves == []
    assert found.surprises == [
        "user_id:dana stays with whom it was merged: what was seen or said since joins them"
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ("x", "00000000-0000-0000-0000-000000000001", "bad_identifier"),
        ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002", "no_such_customer"),
    ],
)  # fmt: skip
def test_a_merge_of_nobody_is_refused(home: None, one: str, other: str, code: str) -> None:
    with pytest.raises(CDPError) as error:
        deciding.merge_customers(one, other, "ops", "x")
    assert error.value.code == code
    same = membership()["cookie:ck"]
    with pytest.raises(CDPError, match="already_one"):
        deciding.merge_customers(same, same, "ops", "x")
    for leaving in ([], [10**9], list(Identifier.objects.filter(customer__public_id=same).values_list("pk", flat=True))):  # fmt: skip
        with pytest.raises(CDPError):
            deciding.split_customer(same, leaving, "ops", "x")
    assert Assertion.objects.count() == 0


@pytest.mark.django_db
def test_a_customer_that_grows_suspiciously_is_warned_of_when_it_does(
    web: Source, send: Sent, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(42):
        send(web, track(f"g{n}", "Product Viewed", n, userId="dana", anonymousId=f"ck-{n}", properties={"sku": "T"}))  # fmt: skip
        pipeline.process_events()
    said = [r.getMessage() for r in caplog.records if "has grown to" in r.getMessage()]
    customer = Identifier.objects.get(value="dana").customer
    assert said == [f"customer {customer} has grown to {n} identifiers" for n in (41, 42, 43)]
