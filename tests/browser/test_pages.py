"""GraphiQL and the admin as people see them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from cdp import pipeline
from cdp.models import Customer, Exposure, Identifier, Source
from cdp.stages.register import register_api_key
from tests.conftest import Sent, external, identify, track
from tests.stack_plugin import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def alice(web: Source, app: Source, store: Source, send: Sent) -> Customer:
    send(
        web,
        identify(
            "m1",
            1,
            anonymousId="ck-a",
            userId="alice",
            traits={"email": "alice@mail.example", "name": "Alice Adams"},
        ),
    )
    send(
        app,
        track(
            "m2",
            "Product Viewed",
            2,
            anonymousId="dev-a",
            userId="alice",
            properties={"sku": "T1", "price": 4},
        ),
    )
    order = {"products": [{"sku": "T1", "price": 4}]}
    send(
        store,
        track(
            "m3",
            "Order Completed",
            3,
            context=external(loyalty_card="L1", email="alice@mail.example"),
            properties=order,
        ),
    )
    pipeline.process_events()
    found: Customer = Identifier.objects.get(value="alice").customer  # type: ignore[assignment]
    return found


def readme_query() -> str:
    """The first query that the README shows."""
    found = re.search(r"```graphql\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert found
    return found.group(1)


def sign_in(browser: webdriver.Chrome, url: str) -> None:
    get_user_model().objects.create_superuser("ops", "ops@mail.example", "a-long-password")
    browser.get(f"{url}/admin/")
    browser.find_element(By.NAME, "username").send_keys("ops")
    browser.find_element(By.NAME, "password").send_keys("a-long-password")
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    WebDriverWait(browser, 20).until(lambda b: "login" not in b.current_url)


def wait_text(browser: webdriver.Chrome, text: str) -> None:
    """Until the page says so; a page that is just being left is no reason to give up."""
    wait = WebDriverWait(browser, 20, ignored_exceptions=[StaleElementReferenceException])
    wait.until(lambda b: text in b.find_element(By.TAG_NAME, "body").text)


def errors(browser: webdriver.Chrome) -> list[Any]:
    return [
        entry
        for entry in browser.get_log("browser")
        if entry["level"] == "SEVERE" and "favicon" not in entry["message"]
    ]  # type: ignore[no-untyped-call]


def test_graphiql_runs_the_readmes_first_query(
    live_url: str, browser: webdriver.Chrome, alice: Customer, pictures: Path
) -> None:
    _, key = register_api_key("explorer", ["profiles:read", "slates:read", "content:read"])
    query = readme_query().replace("alice.adams@mail.example", "alice@mail.example")
    browser.get(f"{live_url}/graphql")
    WebDriverWait(browser, 30).until(
        lambda b: b.find_elements(By.CSS_SELECTOR, ".graphiql-query-editor .CodeMirror")
    )
    browser.execute_script(  # type: ignore[no-untyped-call]
        """
        document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.setValue(arguments[0]);
        """,
        query,
    )
    for button in browser.find_elements(By.CSS_SELECTOR, ".graphiql-editor-tools button"):
        if button.text == "Headers":
            button.click()
    WebDriverWait(browser, 20).until(
        lambda b: len(b.find_elements(By.CSS_SELECTOR, ".CodeMirror")) > 1
    )
    browser.execute_script(  # type: ignore[no-untyped-call]
        """
        const editors = [...document.querySelectorAll(".graphiql-editor-tool .graphiql-editor:not(.hidden) .CodeMirror")];
        editors[editors.length - 1].CodeMirror.setValue(arguments[0]);
        """,
        '{"Authorization": "Bearer ' + key + '"}',
    )
    browser.find_element(By.CSS_SELECTOR, ".graphiql-execute-button").click()
    wait_text(browser, "Alice Adams")
    browser.save_screenshot(str(pictures / "graphiql.png"))
    assert errors(browser) == []


def test_the_customer_page(
    live_url: str, browser: webdriver.Chrome, alice: Customer, pictures: Path
) -> None:
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/customer/?q=L1")
    wait_text(browser, str(alice.public_id))
    browser.get(f"{live_url}/admin/cdp/customer/{alice.pk}/change/")
    for text in (
        "loyalty_card",
        "alice@mail.example",
        "Alice Adams",
        "purchased",
        "Order Completed",
    ):
        wait_text(browser, text)
    browser.save_screenshot(str(pictures / "customer.png"))
    assert errors(browser) == []


def test_the_consistency_page(
    live_url: str, browser: webdriver.Chrome, alice: Customer, pictures: Path
) -> None:
    now = timezone.now()
    mine = Identifier.objects.get(value="alice")
    for channel, weight in (("web", "1.2 kg"), ("app", "1.3 kg")):
        detail = {"sku": "T1", "locale": "en", "facts": {"weight": {"version": 1, "value": weight}}}
        Exposure.objects.create(
            kind="content",
            channel=channel,
            identifier=mine,
            customer_as_served=alice.public_id,
            detail=detail,
            occurred_at=now,
        )
        detail = {"items": ["T1", "T2", "T3"], "artifact": 1}
        Exposure.objects.create(
            kind="slate",
            channel=channel,
            identifier=mine,
            customer_as_served=alice.public_id,
            detail=detail,
            occurred_at=now,
        )
    report = pipeline.measure_consistency(now - timedelta(hours=1), now + timedelta(hours=1))
    sign_in(browser, live_url)
    browser.get(f"{live_url}/admin/cdp/consistencyreport/{report.pk}/change/")
    for text in ("identity", "1.3 kg (app) ≠ 1.2 kg (web)", "each channel alone", "not_measured"):
        wait_text(browser, text)
    browser.save_screenshot(str(pictures / "consistency.png"))
    assert errors(browser) == []


@pytest.mark.parametrize(
    "page",
    ["identifier", "event", "receipt", "quarantinedevent", "source", "apikey", "artifact", "exposure", "product", "outboxmessage", "snapshot", "slate", "assertion", "decision", "ruleset", "suppression", "variant", "channelspec", "importrun"],
)  # fmt: skip
def test_every_list_opens(admin_client: Any, alice: Customer, page: str) -> None:
    assert admin_client.get(f"/admin/cdp/{page}/").status_code == 200
