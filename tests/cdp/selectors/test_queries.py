"""Which product was chosen after which search."""

from __future__ import annotations

from typing import Any

import pytest

from cdp import pipeline
from cdp.models import Source
from cdp.selectors.queries import clicked_queries
from tests.conftest import Sent, identify, track

pytestmark = pytest.mark.django_db(transaction=True)


def searched(message_id: str, minutes: int, query: Any, user: str = "alice") -> dict[str, Any]:
    return track(message_id, "Products Searched", minutes, userId=user, properties={"query": query})


def clicked(message_id: str, minutes: int, sku: str, user: str = "alice") -> dict[str, Any]:
    return track(
        message_id, "Product Clicked", minutes, userId=user, properties={"sku": sku, "price": 1}
    )


def found() -> list[tuple[str, str, str]]:
    rows = [(row["query"], row["sku"], row["verb"]) for row in clicked_queries()]
    return sorted(rows)


def test_a_choice_counts_for_the_last_search_before_it_within_ten_minutes(
    web: Source, send: Sent
) -> None:
    send(
        web,
        searched("s1", 0, "  red tent "), clicked("c1", 3, "tent"), clicked("c2", 5, "bag"),
        searched("s2", 6, "kettle"), clicked("c3", 7, "pot"),
        clicked("c4", 30, "lamp"),  # too late
        searched("s3", 40, ""), clicked("c5", 41, "cup"),  # no words
        searched("s4", 50, 7), clicked("c6", 51, "cup"),  # no text
        clicked("b1", 4, "saw", "bob"),  # another person's
        searched("s5", 60, "alice@mail.example"), clicked("c7", 61, "cup"),  # says who it was
        searched("s6", 70, "+44 20 7946 0958"), clicked("c8", 71, "cup"),
        searched("s7", 80, "a4 paper 500"), clicked("c9", 81, "paper"),
    )  # fmt: skip
    pipeline.process_events()
    assert found() == [
        ("a4 paper 500", "paper", "viewed"), ("kettle", "pot", "viewed"), ("red tent", "bag", "viewed"), ("red tent", "tent", "viewed")
    ]  # fmt: skip


def test_who_refused_is_left_out(web: Source, send: Sent) -> None:
    refuses = {"consent": {"categoryPreferences": {"personalization": False}}}
    send(
        web, searched("s1", 0, "tent", "charlie"), clicked("c1", 1, "tent", "charlie"),
        identify("i1", 2, userId="charlie", context=refuses),
    )  # fmt: skip
    pipeline.process_events()
    assert found() == []
