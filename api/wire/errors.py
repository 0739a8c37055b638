"""HTTP answers of the tracking API. Every error has ``code`` and ``message``: SDKs need both."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from cdp.errors import CDPError

STATUS = {
    "missing_write_key": 401,
    "invalid_write_key": 401,
    "source_disabled": 403,
    "body_too_large": 413,
    "method_not_allowed": 405,
    "not_found": 404,
    "store_unavailable": 503,
    "internal": 500,
}
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding, X-Retry-Count",
    "Access-Control-Max-Age": "86400",
}


def answer(body: dict[str, object], status: int = 200) -> JsonResponse:
    return JsonResponse(body, status=status, headers=CORS)


def error_answer(error: CDPError) -> JsonResponse:
    """Map an error to HTTP once: 503 with Retry-After when trying again may help."""
    status = STATUS.get(error.code, 503 if error.retryable else 400)
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.field:
        body["field"] = error.field
    response = answer(body, status)
    if status == 503:
        response["Retry-After"] = "1"
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="write key"'
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return error_answer(CDPError("not_found", f"there is nothing at {request.path}"))
