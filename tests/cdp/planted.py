"""A matcher whose weights are planted, and tills that write people down."""

from __future__ import annotations

from typing import Any

from cdp import changing
from cdp.changing import Thresholds
from cdp.domain.matching.comparing import comparisons
from cdp.domain.matching.weights import ELSE, Trained, Weights
from cdp.models import Identifier, Matcher

KINDS = {
    "given_name": "given_name", "surname": "surname", "birth_date": "birth_date", "street": "street",
}  # fmt: skip
# m / u of the first level of each comparison, of the others, and of disagreement, as powers of two.
SAME, NEARLY, OTHER = 6, 3, -6
ALICE = {"firstName": "Alice", "lastName": "Ng", "birthday": "1980-02-03", "street": "1 Elm St"}
BOB = {"firstName": "Bob", "lastName": "Ng", "birthday": "1979-05-06", "street": "1 Elm St"}


def quiet(name: str, count: int) -> None:
    """No progress."""


def weights() -> Weights:
    """The same counts 6 bits, something alike 3, unlike -6; the prior is 1/2 (0 bits)."""

    def trained(bits: int) -> Trained:
        return Trained(2.0 ** (bits - 10), 2.0**-10)

    found = {
        one.name: {
            level.name: trained(SAME if n == 0 else NEARLY) for n, level in enumerate(one.levels)
        }
        | {ELSE: trained(OTHER)}
        for one in comparisons(KINDS)
    }
    return Weights(KINDS, 0.5, found, {})


def candidate(merge_at: float = 10.0, review_at: float = 4.0) -> Matcher:
    return changing.keep_matcher(
        weights().document(), Thresholds(merge_at, review_at), records=0, backend="planted",
        actor="test", report={},
    )  # fmt: skip


def adopt(merge_at: float = 10.0, review_at: float = 4.0) -> Matcher:
    return changing.adopt_matcher(candidate(merge_at, review_at).pk, "test", quiet)


def till(message: str, minutes: int = 0, **fields: Any) -> dict[str, Any]:
    """A till's message about a person without any identifier (or with ``context`` naming some)."""
    from tests.conftest import identify

    return identify(message, minutes, **fields)


def customers() -> dict[str, set[str]]:
    """Customers by their members; records by their words."""
    found: dict[str, set[str]] = {}
    for row in Identifier.objects.filter(customer__isnull=False).select_related("record"):
        name = str(row.record) if row.kind == "record" else f"{row.kind}:{row.value}"
        found.setdefault(str(row.customer_id), set()).add(name)
    return found


def together() -> set[frozenset[str]]:
    return {frozenset(members) for members in customers().values()}
