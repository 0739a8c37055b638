"""Train a matcher on the records that are there and keep it as a candidate."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.conf import settings

from cdp import changing
from cdp.changing import Thresholds
from cdp.domain.matching import blocking
from cdp.domain.matching.weights import Weights
from cdp.domain.records import FIELDS
from cdp.errors import CDPError
from cdp.matching.training import Record, Say, train
from cdp.models import Matcher
from cdp.selectors.matchers import records_of

# A thousand to one that two records are one person; to be asked about, better than ten to one.
DEFAULT = Thresholds(merge_at=10.0, review_at=4.0)
BACKENDS = ("duckdb", "spark")


def train_matcher(
    actor: str, say: Say, thresholds: Thresholds = DEFAULT, backend: str | None = None
) -> Matcher:
    """Learn match weights from all records, without labels; the candidate does nothing yet.

    Raises:
        CDPError: ``too_few_records``, ``no_fields``, ``bad_backend``, ``spark_missing``.
    """
    backend = backend or settings.MATCHING_BACKEND
    api = _backend(backend)
    rows = records_of()
    say(f"{len(rows)} records; Splink on {backend}")
    records: list[Record] = [{name: row.get(name) for name in FIELDS} for row in rows]
    trained = train(records, FIELDS, say, api)
    say("weighing every pair that shares a blocking key")
    report = _report(records, trained.weights) | {"untaught": trained.untaught}
    return changing.keep_matcher(
        trained.weights.document(), thresholds, records=len(records), backend=backend,
        actor=actor, report=report,
    )  # fmt: skip


def _backend(name: str) -> Any:
    if name not in BACKENDS:
        raise CDPError(
            "bad_backend", f"{name!r} is none of {', '.join(BACKENDS)}", field="MATCHING_BACKEND"
        )
    if name == "duckdb":
        return None
    try:
        from pyspark.sql import SparkSession
        from splink import SparkAPI
        from splink.backends.spark import similarity_jar_location
    except ImportError as error:
        raise CDPError(
            "spark_missing",
            f"install pyspark to train on Spark ({error})",
            field="MATCHING_BACKEND",
        ) from error
    session = SparkSession.builder.appName("unison").config("spark.jars", similarity_jar_location())
    return SparkAPI(spark_session=session.getOrCreate(), break_lineage_method="persist")


def _report(records: list[Record], weights: Weights) -> dict[str, Any]:
    """How the pairs that would be weighed are spread, by whole bits."""
    full = [weights.full(record) for record in records]
    keyed = ((n, blocking.keys(record, weights.kinds)) for n, record in enumerate(full))
    spread: Counter[int] = Counter()
    for a, b in blocking.pairs(blocking.blocks(keyed)):
        spread[int(weights.weight(full[a], full[b]) // 1)] += 1
    return {"pairs": spread.total(), "spread": {str(bits): spread[bits] for bits in sorted(spread)}}
