"""Why is this product on this slate? Paths through the interaction graph and what products share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cdp.graph import cypher, session
from cdp.graph.session import Row
from cdp.models import Product

SECONDS = 3.0
FEWEST = 3  # fewer other people are not counted aloud: who they are could be guessed


class Path(NamedTuple):
    """From a product that a customer (public id) touched to one that is shown."""

    customer: str
    touched: str
    shown: str


@dataclass(frozen=True)
class Explanation:
    """``others``: customers beside this one who touched both products (None: fewer than three, or
    the graph is away);
    ``shared``: what both products have in common; ``evidence``: the share of each kind of voice in
    the score."""

    text: str
    touched: Product | None
    verb: str | None
    others: int | None
    shared: list[str]
    evidence: dict[str, float]


def who_touched_both(paths: Iterable[Path]) -> dict[Path, int]:
    """Other customers, consented ones, who touched both ends of each path.

    Raises:
        CDPError: ``graph_unavailable`` (retryable) when the graph store does not answer.
    """
    wanted = list(dict.fromkeys(paths))
    found: list[Row] = []

    def read() -> None:
        rows = [path._asdict() for path in wanted]
        found.extend(session.stream(cypher.COUNT_WHO_TOUCHED_BOTH, seconds=SECONDS, rows=rows))

    session.within(SECONDS, read)
    counted = {Path(row["customer"], row["touched"], row["shown"]): row["others"] for row in found}
    return {path: counted.get(path, 0) for path in wanted}


def explanation(
    shown: Product, reason: Mapping[str, Any], touched: Product | None, others: int | None
) -> Explanation:
    """The reason that was kept with the slate, put into words with what the stores say of it."""
    evidence = {str(kind): float(share) for kind, share in reason.get("from", {}).items()}
    if reason.get("kind") != "touch":
        return Explanation("Popular with our customers.", None, None, None, [], evidence)
    verb, name = str(reason["verb"]), touched.title if touched else str(reason["sku"])
    shared = [
        f"{attribute} {value}"
        for attribute in ("category", "brand")
        if touched and (value := getattr(touched, attribute)) and value == getattr(shown, attribute)
    ]
    parts = [f"You {verb} {name}."]
    count = others if others is not None and others >= FEWEST else None
    if count:
        parts.append(f"{others} other customers who looked at or bought it chose this too.")
    if shared:
        parts.append(f"Both: {', '.join(shared)}.")
    return Explanation(" ".join(parts), touched, verb, count, shared, evidence)
