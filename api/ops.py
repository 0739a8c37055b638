"""Liveness, readiness and metrics."""

from __future__ import annotations

import time

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from cdp.models import Topic
from cdp.outbox import parked, waiting
from cdp.selectors.health import stores
from cdp.selectors.learning import health
from cdp.selectors.stats import identity_stats

WAITING = Gauge("unison_outbox_waiting", "Outbox messages not done yet", ["topic"])
PARKED = Gauge("unison_outbox_parked", "Outbox messages given up, waiting for a person")
IDENTITY = Gauge("unison_identity", "Sizes of identity, by what is counted", ["what"])
DRIFT = Gauge("unison_learning_drift", "Stability index since what serves was learned", ["of"])
SLATES = Gauge(
    "unison_slates",
    "Slates of the last 7 days by what became of them",
    ["artifact", "channel", "outcome"],
)
LEARNED = Gauge("unison_serving_learned_seconds", "Age of what the serving artifact learned from")
STORE_UP = Gauge("unison_store_up", "1 when the store answers", ["store"])


EVERY_SECONDS = 60.0
_measured_at = -EVERY_SECONDS
LEARNING_SECONDS = 300.0
_learning_at = -LEARNING_SECONDS


def _measure_identity() -> None:
    """The sizes read whole tables: once a minute, however often and by whomever it is asked."""
    global _measured_at
    if time.monotonic() - _measured_at < EVERY_SECONDS:
        return
    _measured_at = time.monotonic()
    for name, value in identity_stats().items():
        if isinstance(value, int):
            IDENTITY.labels(name).set(value)


def _measure_learning() -> None:
    """Once in five minutes: it reads a week of events."""
    global _learning_at
    if time.monotonic() - _learning_at < LEARNING_SECONDS:
        return
    _learning_at = time.monotonic()
    now = timezone.now()
    found = health(now)
    DRIFT.clear()
    SLATES.clear()
    if found.serving is not None:
        LEARNED.set((now - found.serving.snapshot.created_at).total_seconds())
    for name, value in found.drift.items():
        if value is not None:
            DRIFT.labels(name).set(value)
    for one in found.outcomes:
        for outcome in ("shown", "clicked", "purchased", "explored", "found"):
            SLATES.labels(one.artifact, one.channel, outcome).set(getattr(one, outcome))


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every store answers; else 503. The graph may be away: ingestion goes on without."""
    state = stores()
    ready = all(value == "ok" for value in state.values())
    return JsonResponse({"ready": ready, "stores": state}, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    for name, value in stores().items():
        STORE_UP.labels(name).set(value == "ok")
    try:
        for topic in Topic:
            WAITING.labels(topic).set(waiting(topic))
        PARKED.set(parked())
        _measure_identity()
        _measure_learning()
    except DatabaseError:
        WAITING.clear()
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
