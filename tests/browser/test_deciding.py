"""Deciding about identities in the admin: merge, split, undo, the rules, and the picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client
from selenium import webdriver
from selenium.webdriver.common.by import By

from cdp import changing, deciding, pipeline
from cdp.domain.identifiers import Key
from cdp.models import Assertion, Customer, Identifier, RuleSet, Source, Verdict
from tests.browser.test_pages import errors, sign_in, wait_text
from tests.conftest import Sent, external, identify, track

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def two(web: Source, send: Sent) -> tuple[Customer, Customer]:
    """Alice by her account and two browsers, and by a card that nobody has tied to her."""
    send(web, identify("m1", 1, userId="alice", anonymousId="ck-a", traits={"name": "Alice Adams"}))
    send(web, identify("m2", 2, userId="alice", anonymousId="ck-b"))
    send(web, track("m3", "Order Completed", 3, context=external(loyalty_card="L1")))
    pipeline.process_events()
    return _customer("alice"), _customer("L1")


def _customer(value: str) -> Customer:
    row = Identifier.objects.select_related("customer").get(value=value).customer
    assert row is not None
    return row


def press(browser: webdriver.Chrome, name: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f"button[name={name}]").click()


def test_two_customers_are_merged_and_it_is_undone(
    live_url: str, browser: webdriver.Chrome, two: tuple[Customer, Customer], pictures: Path
) -> None:
    alice, card = two
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/customer/{alice.pk}/change/")
    browser.find_element(By.LINK_TEXT, "Merge with…").click()
    wait_text(browser, "The other customer")
    browser.find_element(By.NAME, "other").send_keys(str(card.public_id))
    browser.find_element(By.NAME, "reason").send_keys("she showed the card in the shop")
    press(browser, "show")
    wait_text(browser, "What will change")
    wait_text(browser, "loyalty_card:L1")
    assert Assertion.objects.count() == 0
    browser.save_screenshot(str(pictures / "merge.png"))
    press(browser, "do")
    wait_text(browser, "Merge: done")
    assert _customer("L1") == alice
    word = Assertion.objects.get()
    assert (word.actor, word.reason) == ("ops", "she showed the card in the shop")
    browser.get(f"{live_url}/admin/cdp/assertion/{word.pk}/change/")
    browser.find_element(By.LINK_TEXT, "Undo…").click()
    wait_text(browser, "Everything becomes what it is")
    browser.find_element(By.NAME, "reason").send_keys("it was her sister's")
    press(browser, "show")
    wait_text(browser, str(card.public_id))
    browser.save_screenshot(str(pictures / "undo.png"))
    press(browser, "do")
    wait_text(browser, "Undo: done")
    assert _customer("L1") == card
    assert list(LogEntry.objects.values_list("change_message", flat=True).order_by("id")) == [
        "Merge: she showed the card in the shop", "Undo: it was her sister's"
    ]  # fmt: skip
    assert errors(browser) == []


def test_an_identifier_is_split_off(
    live_url: str, browser: webdriver.Chrome, two: tuple[Customer, Customer]
) -> None:
    alice, _ = two
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/customer/{alice.pk}/change/")
    browser.find_element(By.LINK_TEXT, "Split…").click()
    wait_text(browser, "cookie:ck-b")
    leaves = Identifier.objects.get(value="ck-b").pk
    browser.find_element(By.CSS_SELECTOR, f"input[value='{leaves}']").click()
    press(browser, "show")
    wait_text(browser, "This field is required")
    browser.find_element(By.NAME, "reason").send_keys("the browser of a friend")
    press(browser, "show")
    wait_text(browser, "What will change")
    press(browser, "do")
    wait_text(browser, "Split: done")
    assert _customer("ck-b") != _customer("alice")


def test_changed_rules_are_simulated_looked_at_and_applied(
    live_url: str, browser: webdriver.Chrome, two: tuple[Customer, Customer], pictures: Path
) -> None:
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/ruleset/add/")
    text = browser.find_element(By.NAME, "rules")
    written = text.get_attribute("value") or ""
    browser.find_element(By.NAME, "reason").send_keys("ck-b is a kiosk of ours")
    browser.execute_script(  # type: ignore[no-untyped-call]
        "arguments[0].value = arguments[1]", text, written.replace("priority: 8", "priority: x")
    )
    browser.find_element(By.NAME, "_save").click()
    wait_text(browser, "kinds.cookie.priority: must be a whole number")
    assert not RuleSet.objects.exists()
    browser.execute_script(  # type: ignore[no-untyped-call]
        "arguments[0].value = arguments[1]", browser.find_element(By.NAME, "rules"),
        written.replace("priority: 8", "priority: 8\n    shop_owned: ['ck-b']"),
    )  # fmt: skip
    browser.find_element(By.NAME, "_save").click()
    wait_text(browser, "a worker is simulating them")
    row = RuleSet.objects.get()
    assert (row.doing, changing.process_rules()) == ("simulate", 1)
    browser.refresh()
    wait_text(browser, "cookie:ck-b – user_id:alice: shop_owned")
    browser.save_screenshot(str(pictures / "rules.png"))
    browser.find_element(By.LINK_TEXT, "Apply").click()
    wait_text(browser, "judges all history by it")
    press(browser, "do")
    wait_text(browser, f"a worker will apply rules {row.pk}")
    changing.process_rules()
    browser.refresh()
    wait_text(browser, "active")
    row.refresh_from_db()
    assert (row.status, row.applied_by, row.error) == ("active", "ops", "")
    assert Identifier.objects.get(value="ck-b").shared
    assert errors(browser) == []


def test_forty_identifiers_are_drawn_legibly(
    live_url: str, browser: webdriver.Chrome, web: Source, send: Sent, pictures: Path
) -> None:
    """No label over another, none cut off by its box, refused links dashed."""
    for n in range(36):
        send(web, identify(f"c{n}", n, userId="alice", anonymousId=f"cookie-of-a-long-name-{n:04}"))
    send(
        web,
        identify(
            "e", 50, userId="alice", traits={"email": "alice@mail.example", "phone": "+12065057419"}
        ),
    )
    send(web, identify("l", 51, userId="alice", context=external(loyalty_card="L1")))
    send(web, identify("x", 52, userId="dana", anonymousId="cookie-of-a-long-name-0000"))
    while pipeline.process_events():
        pass
    card, dana = Key("loyalty_card", "L1"), Key("user_id", "dana")
    deciding.assert_link(card, dana, Verdict.CANNOT_LINK, "ops", "mother and daughter")
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/customer/{_customer('alice').pk}/change/")
    picture = browser.find_element(By.CSS_SELECTOR, "svg[aria-label^='identity graph']")
    assert picture.get_attribute("aria-label") == "identity graph: 41 identifiers, 42 links"
    found = browser.execute_script(  # type: ignore[no-untyped-call]
        """
        const svg = arguments[0], boxes = [...svg.querySelectorAll('g')].map(g => ({
            box: g.querySelector('rect').getBBox(), text: g.querySelector('text').getBBox()}));
        const hits = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width
                            && a.y < b.y + b.height && b.y < a.y + a.height;
        return {
            cut: boxes.filter(o => o.text.x + o.text.width > o.box.x + o.box.width).length,
            over: boxes.filter((o, i) => boxes.slice(i + 1).some(p => hits(o.box, p.box))).length,
            dashed: svg.querySelectorAll('path[stroke-dasharray="5 4"]').length,
            small: boxes.filter(o => o.text.height < 10).length};
        """,
        picture,
    )
    assert found == {"cut": 0, "over": 0, "dashed": 2, "small": 0}
    browser.set_window_size(1400, 1900)
    browser.save_screenshot(str(pictures / "identity-graph.png"))
    assert errors(browser) == []


def test_who_may_not_decide_is_not_offered_it(two: tuple[Customer, Customer]) -> None:
    """The same pages open for a superuser, so that a wrong address is not taken for a refusal."""
    accounts = get_user_model().objects
    clerk = accounts.create_user("clerk", password="x", is_staff=True)
    chief = accounts.create_superuser("chief", "c@mail.example", "x")
    alice, _ = two
    paths = (f"customer/{alice.pk}/merge", f"customer/{alice.pk}/split", "ruleset/add/")
    for account, status in ((chief, 200), (clerk, 403)):
        client = Client()
        client.force_login(account)
        for path in paths:
            answer = client.get(f"/admin/cdp/{path}", follow=True)
            assert (path, answer.status_code) == (path, status)
