"""The review queue, worked through with the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from cdp import changing, deciding, pipeline
from cdp.models import Assertion, Label, Match, Matcher, Source
from cdp.selectors.reviews import backlog, waiting
from tests.browser.test_pages import errors, sign_in, wait_text
from tests.cdp.planted import ALICE, BOB, adopt, customers
from tests.conftest import Sent, external, identify

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queue(store: Source, send: Sent) -> Matcher:
    """Three pairs wait; a fourth was joined."""
    made = adopt()
    send(
        store,
        identify(
            "m1", 1, traits=ALICE, context=external(loyalty_card="L1", email="alice@mail.example")
        ),
    )
    send(store, identify("m2", 2, traits={**ALICE, "street": "7 Oak Ave"}))
    send(store, identify("m3", 3, traits=BOB, context=external(loyalty_card="L2")))
    send(store, identify("m4", 4, traits={**BOB, "street": "99 Far Rd"}))
    send(store, identify("m5", 5, traits={**BOB, "street": "1 Elm Street"}))
    while pipeline.process_events() + pipeline.match_records():
        pass
    return made


def key(browser: webdriver.Chrome, keys: str) -> None:
    browser.switch_to.active_element.send_keys(keys)


def test_the_queue_is_worked_through_by_keys(
    live_url: str, browser: webdriver.Chrome, queue: Matcher, pictures: Path
) -> None:
    before = customers()
    first = waiting()
    count = backlog()
    assert count == 2
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/match/review/")
    wait_text(browser, f"{count} wait")
    wait_text(browser, "7 oak ave")
    browser.save_screenshot(str(pictures / "review.png"))
    wide = browser.find_element(By.CSS_SELECTOR, "svg[aria-label^=waterfall]")
    assert "joins" in wide.text and "asks" in wide.text
    key(browser, "r")
    assert browser.switch_to.active_element.get_attribute("id") == "reason"
    key(browser, "sd")  # typed, not pressed
    assert not Label.objects.exists()
    key(browser, Keys.CONTROL + "a")
    key(browser, "the same hand" + Keys.ESCAPE)
    key(browser, "s")
    wait_text(browser, "same: kept")
    label = Label.objects.get()
    assert (label.same, label.assertion.reason, label.assertion.actor) == (
        True,
        "the same hand",
        "ops",
    )
    assert backlog() == 1 and len(customers()) == len(before) - 1
    key(browser, "u")
    wait_text(browser, "undone")
    assert customers() == before and waiting() == first
    key(browser, "n")
    wait_text(browser, "99 far rd")
    key(browser, "d")
    wait_text(browser, "Nothing else waits; 1 skipped")
    assert Assertion.objects.filter(retracted_at=None).get().verdict == "cannot_link"
    assert errors(browser) == []
    assert list(LogEntry.objects.values_list("change_message", flat=True).order_by("id")) == [
        "review: same", "review: undone", "review: different"
    ]  # fmt: skip


def test_a_pair_that_somebody_else_decided_meanwhile(
    live_url: str, browser: webdriver.Chrome, queue: Matcher
) -> None:
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/match/review/")
    wait_text(browser, "2 wait")
    shown = int(browser.find_element(By.NAME, "match").get_attribute("value") or 0)
    deciding.review(shown, False, "ann", "quicker")
    state = customers()
    key(browser, "s")
    wait_text(browser, "ann said meanwhile that they are different (already_reviewed)")
    assert customers() == state and Label.objects.count() == 1


def test_what_was_joined_is_looked_over_and_parted(
    live_url: str, browser: webdriver.Chrome, queue: Matcher, pictures: Path
) -> None:
    joined = Match.objects.get(verdict="linked")
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/match/")
    browser.find_element(By.LINK_TEXT, "Check what was joined").click()
    wait_text(browser, "1 elm street")
    key(browser, "d")
    wait_text(browser, "different: kept")
    joined.refresh_from_db()
    assert joined.verdict == "cannot_link"
    browser.get(f"{live_url}/admin/cdp/matcher/{queue.pk}/change/")
    wait_text(browser, "precision at merge")
    wait_text(browser, "0.000 (0.000 to 0.793; 1 labels)")
    browser.save_screenshot(str(pictures / "matcher.png"))
    assert errors(browser) == []


def test_thresholds_are_moved_in_the_admin(
    live_url: str, browser: webdriver.Chrome, queue: Matcher
) -> None:
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/matcher/{queue.pk}/change/")
    browser.find_element(By.LINK_TEXT, "Adopt…").click()
    for name, value in (("merge_at", "3"), ("review_at", "4")):
        field = browser.find_element(By.NAME, name)
        field.clear()
        field.send_keys(value)
    field.send_keys(Keys.ENTER)
    wait_text(browser, "review_at must not be above merge_at")
    field = browser.find_element(By.NAME, "review_at")
    field.clear()
    field.send_keys("2" + Keys.ENTER)
    wait_text(browser, "a worker adopts matcher")
    assert changing.process_rules() == 1
    queue.refresh_from_db()
    assert (queue.merge_at, queue.review_at, queue.doing, queue.error) == (3.0, 2.0, "", "")
