"""Explanations from the graph: who else touched both ends of a path."""

from __future__ import annotations

import pytest

from cdp import pipeline
from cdp.domain.listing import Listing
from cdp.errors import CDPError
from cdp.models import Customer, Product, Source
from cdp.selectors.reasons import Path, explanation, who_touched_both
from cdp.stages.catalogue import write_products
from tests.conftest import Sent, identify, track

pytestmark = [pytest.mark.graph, pytest.mark.django_db(transaction=True)]


def viewed(user: str, sku: str) -> dict[str, object]:
    return track(f"{user}-{sku}", "Product Viewed", 0, userId=user, properties={"sku": sku})


@pytest.fixture
def planted(web: Source, send: Sent) -> str:
    """Alice looked at the tea; Bob, Dora, Emil and Charlie at tea and pot, Fay at the tent alone.
    Charlie refused. Returns Alice's public id."""
    write_products(
        [
            Listing(sku="tea", title="Green tea", category="Tea", brand="Dew"),
            Listing(sku="pot", title="Tea pot", category="Tea", brand="Clay"),
            Listing(sku="tent", title="Tent", category="Camping", brand="Dew"),
        ],
        "test",
    )
    both = [
        viewed(user, sku) for user in ("bob", "dora", "emil", "charlie") for sku in ("tea", "pot")
    ]
    refuses = {"consent": {"categoryPreferences": {"personalization": False}}}
    send(web, viewed("alice", "tea"), *both, viewed("fay", "tent"),
         identify("no", 1, userId="charlie", context=refuses))  # fmt: skip
    pipeline.drain()
    return str(Customer.objects.get(identifiers__value="alice").public_id)


def test_the_planted_path_is_found_and_refusals_are_not_counted(graph: str, planted: str) -> None:
    there, nowhere = Path(planted, "tea", "pot"), Path(planted, "tea", "tent")
    assert who_touched_both([there, nowhere, there]) == {there: 3, nowhere: 0}


def test_the_customer_is_no_witness_for_their_own_slate(graph: str, planted: str) -> None:
    bob = str(Customer.objects.get(identifiers__value="bob").public_id)
    path = Path(bob, "tea", "pot")
    assert who_touched_both([path]) == {path: 2}


def test_a_removed_edge_is_a_witness_less(
    graph: str, planted: str, web: Source, send: Sent
) -> None:
    send(web, identify("no2", 2, userId="dora",
         context={"consent": {"categoryPreferences": {"personalization": False}}}))  # fmt: skip
    pipeline.drain()
    path = Path(planted, "tea", "pot")
    assert who_touched_both([path]) == {path: 2}


def test_the_words_name_the_path_and_what_is_shared(graph: str, planted: str) -> None:
    tea, pot = Product.objects.get(sku="tea"), Product.objects.get(sku="pot")
    reason = {"kind": "touch", "verb": "viewed", "sku": "tea", "from": {"graph": 0.8, "text": 0.2}}
    found = explanation(pot, reason, tea, 3)
    assert found.text == (
        "You viewed Green tea. 3 other customers who looked at or bought it chose this too. "
        "Both: category Tea."
    )
    assert (found.others, found.shared) == (3, ["category Tea"])
    assert found.evidence == {"graph": 0.8, "text": 0.2}
    few = explanation(pot, reason, tea, 2)
    assert few.others is None and "2" not in few.text
    assert explanation(pot, {"kind": "popular"}, None, 0).text == "Popular with our customers."


def test_a_graph_that_is_away_is_named(settings: object) -> None:
    settings.NEO4J_URI = "bolt://127.0.0.1:9"  # type: ignore[attr-defined]
    with pytest.raises(CDPError, match="graph_unavailable"):
        who_touched_both([Path("x", "tea", "pot")])
