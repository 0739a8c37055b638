"""Project what changed in PostgreSQL into the graph; harmless to repeat."""

from __future__ import annotations

from collections.abc import Iterable

from cdp.graph import projection
from cdp.models import Identifier, Product


def project(
    *,
    events: Iterable[int] = (),
    identities: Iterable[int] = (),
    customers: Iterable[int] = (),
    reattributed: Iterable[int] = (),
    products: Iterable[int] = (),
    stale: Iterable[tuple[int, int]] = (),
) -> None:
    """Write the present state of what is named; the present is never older than the message.

    ``stale``: (event, identifier) pairs that may not hang together any more.

    Raises:
        CDPError: ``graph_unavailable`` (retryable) while the graph is away.
    """
    wanted = sorted(set(events) | set(reattributed))
    touched = set(identities)
    touched |= set(
        Identifier.objects.filter(customer_id__in=list(customers)).values_list("id", flat=True)
    )
    projection.write_products(
        projection.product_rows(Product.objects.filter(id__in=list(products)).order_by("sku"))
    )
    projection.write_identities(projection.identity_rows(sorted(touched)))
    projection.write_interactions(projection.interaction_rows(wanted))
    projection.drop_stale(reattributed, stale)
    projection.drop_lonely(sorted(touched), customers)
