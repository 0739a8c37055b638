"""The HTTP tracking API that Segment's and RudderStack's SDKs speak.

Success is exactly 200, and only after the events are durable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from psycopg_pool import PoolTimeout

from api.wire.auth import authenticate, early
from api.wire.body import read_json
from api.wire.errors import CORS, answer, error_answer
from api.wire.metrics import RECEIVED
from cdp.domain.events import Envelope, parse_sent_at
from cdp.domain.soundness import unsound
from cdp.errors import CDPError
from cdp.models import Source
from cdp.pipeline import Outcome, accept
from cdp.selectors.sources import source_by_key

log = logging.getLogger(__name__)
MAX_EVENTS = 2500
View = Callable[..., HttpResponse]


def wire(view: View) -> View:
    """CORS, methods, and the one place where errors become HTTP."""

    @csrf_exempt
    @wraps(view)
    def wrapped(request: HttpRequest, **captured: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            return HttpResponse(status=200, headers=CORS)
        try:
            return view(request, **captured)
        except CDPError as error:
            return error_answer(error)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            reason = str(error).strip().split("\n")[0]
            return error_answer(CDPError("store_unavailable", reason, retryable=True))
        except Exception:
            # A bug of ours: the sender keeps its events (SDKs repeat a 500), we keep the trace.
            log.exception("unexpected error at %s", request.path)
            return error_answer(CDPError("internal", "internal error"))

    return wrapped


@wire
def batch(request: HttpRequest) -> HttpResponse:
    """``POST /v1/batch``: valid events are kept whatever stands beside them."""
    body, source = _posted(request)
    messages = body.get("batch")
    if not isinstance(messages, list):
        raise CDPError("bad_batch", "batch must be a list of events", field="batch")
    if len(messages) > MAX_EVENTS:
        raise CDPError("too_many_events", f"at most {MAX_EVENTS} events a batch", field="batch")
    outcomes = accept(source, messages, _envelope(source, body))
    return answer({"success": True, **_summary(outcomes)})


@wire
def single(request: HttpRequest, event_type: str) -> HttpResponse:
    """``POST /v1/track`` and its like: one event, refused with its reason when it is bad."""
    body, source = _posted(request)
    message = {key: value for key, value in body.items() if key != "writeKey"}
    outcome = accept(source, [message | {"type": event_type}], _envelope(source, {}))[0]
    if outcome.status == "quarantined":
        raise CDPError(outcome.reason, outcome.detail, field=outcome.field or None)
    return answer({"success": True, **_summary([outcome])})


@wire
def project_settings(request: HttpRequest, write_key: str) -> HttpResponse:
    """What the browser SDK asks for first."""
    if source_by_key(write_key) is None:
        raise CDPError("invalid_write_key", "no source has this write key", field="writeKey")
    return answer({"integrations": {"Segment.io": {"apiKey": write_key}}, "plan": {"track": {}}})


def _posted(request: HttpRequest) -> tuple[dict[str, Any], Source]:
    if request.method != "POST":
        raise CDPError("method_not_allowed", "use POST")
    known = early(request)
    body = read_json(request)
    source = known or authenticate(request, body)
    if not isinstance(body, dict):
        raise CDPError("invalid_json", "the body must be a JSON object")
    return body, source


def _envelope(source: Source, body: dict[str, Any]) -> Envelope:
    shared = {name: body.get(name) for name in ("context", "integrations")}
    for name, value in shared.items():
        if value is not None and not isinstance(value, dict):
            raise CDPError("not_an_object", f"{name} must be a JSON object", field=name)
        if fault := unsound(value, name):
            raise CDPError(fault.reason, fault.detail, field=fault.field)
    envelope = Envelope(
        channel=source.channel,
        received_at=timezone.now(),
        sent_at=parse_sent_at(body.get("sentAt")),
        context=shared["context"] or {},
        integrations=shared["integrations"] or {},
        region=settings.DEFAULT_PHONE_REGION,
    )
    if envelope.shared_bytes > envelope.max_bytes:
        raise CDPError("too_large", f"context has over {envelope.max_bytes} bytes", field="context")
    return envelope


def _summary(outcomes: list[Outcome]) -> dict[str, object]:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.status] = counts.get(outcome.status, 0) + 1
        RECEIVED.labels(outcome.status).inc()
    refused = [
        {"messageId": o.message_id, "code": o.reason, "field": o.field, "message": o.detail}
        for o in outcomes
        if o.status == "quarantined"
    ]
    return {"counts": counts} | ({"quarantined": refused} if refused else {})
