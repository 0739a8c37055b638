"""Identity over GraphQL: explanations, and the rules as an integration changes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from cdp import changing, deciding, pipeline
from cdp.domain.identifiers import Key
from cdp.domain.rules import DEFAULT_RULES
from cdp.domain.rules_file import write
from cdp.models import RuleSet, Source, Verdict
from cdp.stages.register import register_api_key
from tests.conftest import Sent, identify

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[..., dict[str, Any]]
EXPLAIN = """
query($a: IdentifierInput!, $b: IdentifierInput!) { explainIdentity(a: $a, b: $b) {
  oneCustomer customers reason
  steps { a { kind value } b { kind value } timesSeen messageId refused assertion } } }
"""
SIMULATE = """mutation($rules: String!, $reason: String!) {
  simulateRules(rules: $rules, reason: $reason) { number status doing simulation } }"""


@pytest.fixture
def ask(client: Client) -> Ask:
    def asked(query: str, scopes: list[str], **variables: Any) -> dict[str, Any]:
        _, key = register_api_key(f"k{RuleSet.objects.count()}-{abs(hash(query))}", scopes)
        body = json.dumps({"query": query, "variables": variables})
        response = client.post(
            "/graphql", body, content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        return response.json()  # type: ignore[no-any-return]

    return asked


@pytest.fixture
def home(web: Source, send: Sent) -> None:
    """Alice, and Bob who uses her browser."""
    send(web, identify("m1", 1, userId="alice", anonymousId="ck"))
    send(web, identify("m2", 2, userId="bob", anonymousId="ck"))
    pipeline.process_events()


def named(kind: str, value: str) -> dict[str, str]:
    return {"kind": kind, "value": value}


def test_one_customer_is_explained_by_the_event_that_shows_it(ask: Ask, home: None) -> None:
    found = ask(EXPLAIN, ["identity:read"], a=named("cookie", " ck "), b=named("user_id", "alice"))
    told = found["data"]["explainIdentity"]
    assert (told["oneCustomer"], len(told["customers"]), told["reason"]) == (True, 1, None)
    assert told["steps"] == [{
        "a": named("cookie", "ck"), "b": named("user_id", "alice"), "timesSeen": 1,
        "messageId": "m1", "refused": None, "assertion": None,
    }]  # fmt: skip


def test_two_customers_are_explained_by_what_keeps_them_apart(ask: Ask, home: None) -> None:
    found = ask(EXPLAIN, ["identity:read"], a=named("user_id", "alice"), b=named("user_id", "bob"))
    told = found["data"]["explainIdentity"]
    assert (told["oneCustomer"], len(told["customers"])) == (False, 2)
    assert "one customer may not hold both user_ids" in told["reason"]
    assert [step["refused"] for step in told["steps"]] == [
        None, "one customer may not hold both user_ids"
    ]  # fmt: skip
    keys = Key("user_id", "alice"), Key("user_id", "bob")
    deciding.assert_link(*keys, Verdict.CANNOT_LINK, "ops", "a couple")
    found = ask(EXPLAIN + " ", ["identity:read"], a=named("user_id", "alice"), b=named("user_id", "bob"))  # fmt: skip
    assert found["data"]["explainIdentity"]["reason"] == (
        "ops asserted that they never are one: a couple"
    )


def test_who_was_never_seen_and_who_may_not_ask_are_told_so(ask: Ask, home: None) -> None:
    found = ask(EXPLAIN, ["identity:read"], a=named("user_id", "zed"), b=named("user_id", "bob"))
    assert found["errors"][0]["extensions"]["code"] == "no_such_identifier"
    found = ask(EXPLAIN + " ", ["profiles:read"], a=named("user_id", "a"), b=named("user_id", "b"))
    assert found["errors"][0]["extensions"]["code"] == "forbidden"


def test_rules_are_simulated_and_applied_by_a_worker(ask: Ask, home: None) -> None:
    changed = write(DEFAULT_RULES).replace("priority: 8", "priority: 8\n    shop_owned: [ck]")
    found = ask(SIMULATE, ["rules:write"], rules=changed, reason="ck is our tablet")
    made = found["data"]["simulateRules"]
    assert (made["status"], made["doing"], made["simulation"]) == ("DRAFT", "simulate", None)
    again = "mutation($n: Int!) { applyRules(number: $n) { number } }"
    assert (
        ask(again, ["rules:write"], n=made["number"])["errors"][0]["extensions"]["code"] == "busy"
    )
    assert changing.process_rules() == 1
    query = "query($n: Int) { ruleSet(number: $n) { status simulation outcome rules } }"
    shown = ask(query, ["identity:read"], n=made["number"])["data"]["ruleSet"]
    assert (shown["simulation"]["split"], shown["outcome"]) == (1, None)
    assert yaml.safe_load(shown["rules"]) == yaml.safe_load(changed)
    ask(again + " ", ["rules:write"], n=made["number"])
    changing.process_rules()
    active = ask("{ ruleSet { status outcome } }", ["identity:read"])["data"]["ruleSet"]
    assert (active["status"], active["outcome"]["split"]) == ("ACTIVE", 1)


def test_bad_rules_name_the_field_and_change_nothing(ask: Ask, home: None) -> None:
    broken = write(DEFAULT_RULES).replace("priority: 8", "priority: none")
    error = ask(SIMULATE, ["rules:write"], rules=broken, reason="x")["errors"][0]
    assert error["extensions"] == {
        "code": "bad_rules", "retryable": False, "field": "kinds.cookie.priority"
    }  # fmt: skip
    error = ask(SIMULATE + " ", ["identity:read"], rules=broken, reason="x")["errors"][0]
    assert error["extensions"]["code"] == "forbidden"
    assert not RuleSet.objects.exists()


def test_staff_changes_rules_only_with_the_permission(client: Client, home: None) -> None:
    clerk = get_user_model().objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(clerk)
    body = {"query": SIMULATE, "variables": {"rules": write(DEFAULT_RULES), "reason": "x"}}

    def code() -> str | None:
        found = client.post("/graphql", json.dumps(body), content_type="application/json").json()
        return found["errors"][0]["extensions"]["code"] if "errors" in found else None

    assert code() == "forbidden"
    clerk.user_permissions.add(Permission.objects.get(codename="change_rules"))
    assert code() is None
