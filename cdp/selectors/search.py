"""Find products by words, by what words mean, and by whom they are for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from pgvector import Vector as PgVector

from cdp.artifacts import encoder_digest
from cdp.graph.projection import refusing
from cdp.models import CustomerVector, Product
from cdp.selectors.slates import serving_artifact

CANDIDATES = 100
DAMP = 60  # of reciprocal rank fusion (Cormack, Clarke & Büttcher 2009)
WEIGHTS = {"words": 1.0, "meaning": 1.0, "customer": 0.5}
LONGEST = 300
WORDS = 12  # of a query that count as words
_WORD = re.compile(r"\w+")

_WORDS = """
    SELECT product_id FROM cdp_producttext t JOIN cdp_product p ON p.id = t.product_id,
         to_tsquery('simple', %s) AS asked
    WHERE to_tsvector('simple', coalesce(words, '')) @@ asked
      AND p.in_stock AND (p.channels = '{}' OR %s = ANY (p.channels))
    ORDER BY ts_rank_cd(to_tsvector('simple', coalesce(words, '')), asked) DESC, product_id LIMIT %s
"""
_MEANING = """
    SELECT product_id FROM cdp_producttext t JOIN cdp_product p ON p.id = t.product_id
    WHERE encoder = %s AND p.in_stock AND (p.channels = '{}' OR %s = ANY (p.channels))
    ORDER BY vector <=> %s::vector, product_id LIMIT %s
"""
# The words are put together as graph_ml.features.product_text does it.
_UNREAD = """
    SELECT FROM cdp_product p LEFT JOIN cdp_producttext t ON t.product_id = p.id AND t.encoder = %s
    WHERE t.words IS DISTINCT FROM concat_ws('. ', nullif(p.title, ''), nullif(p.brand, ''),
                                             nullif(p.category, ''), nullif(p.description, ''))
    LIMIT 1
"""
_FOR_THE_CUSTOMER = """
    SELECT product_id FROM cdp_productvector
    WHERE artifact_id = %s AND product_id = ANY (%s) ORDER BY vector <#> %s::vector, product_id
"""


@dataclass(frozen=True)
class Found:
    """``strategy`` names what was listened to: words, meaning, customer."""

    strategy: str
    items: list[tuple[Product, float]]


def search(
    query: str,
    meaning: Sequence[float] | None,
    encoder: str,
    customer: int | None,
    channel: str,
    first: int,
) -> Found:
    """The best products for a query that the channel may show.

    ``meaning``: the query's vector by ``encoder``; None where there is none yet, and words alone
    count. Ranks are fused, not scores: they have no unit in common.
    """
    ranks = {"words": _by_words(query, channel)}
    if meaning is not None:
        ranks["meaning"] = _rows(
            _MEANING, [encoder, channel, PgVector(meaning).to_text(), CANDIDATES]
        )
    candidates = sorted({product for ranked in ranks.values() for product in ranked})
    if customer is not None and candidates:
        ranks["customer"] = _for(customer, candidates)
    score: dict[int, float] = {}
    for name, ranked in ranks.items():
        for place, product in enumerate(ranked):
            score[product] = score.get(product, 0.0) + WEIGHTS[name] / (DAMP + place + 1)
    products = Product.objects.in_bulk(list(score))
    best = sorted(score, key=lambda product: (-score[product], product))
    shown = [(products[id_], score[id_]) for id_ in best]
    return Found(" + ".join(name for name, ranked in ranks.items() if ranked), shown[:first])


def unread() -> bool:
    """Is there a product that search does not know, or whose words have changed since?"""
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, [encoder_digest(settings.TEXT_ENCODER)])
        return cursor.fetchone() is not None


def _by_words(query: str, channel: str) -> list[int]:
    """Any of the words; the last may be the beginning of one."""
    words = _WORD.findall(query.lower())[:WORDS]
    if not words:
        return []
    asked = " | ".join([*words[:-1], f"{words[-1]}:*"])
    return _rows(_WORDS, [asked, channel, CANDIDATES])


def _for(customer: int, candidates: list[int]) -> list[int]:
    artifact = serving_artifact()
    row = CustomerVector.objects.filter(artifact=artifact, customer_id=customer).first()
    if artifact is None or row is None or refusing([customer]):
        return []
    return _rows(_FOR_THE_CUSTOMER, [artifact.pk, candidates, PgVector(row.vector).to_text()])


def _rows(query: str, values: list[object]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)  # type: ignore[arg-type]  # psycopg takes lists of ids as well
        return [row[0] for row in cursor.fetchall()]
