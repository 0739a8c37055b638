"""The tracking API over HTTP: what SDKs need, and every bad input."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from cdp.models import Event, QuarantinedEvent, Receipt
from cdp.stages.register import register_source

Post = Any
GOOD = {"type": "page", "userId": "alice", "messageId": "good"}


@pytest.fixture
def key(db: None) -> str:
    return register_source("web-shop", "web")[1]


@pytest.fixture
def post(client: Client, key: str) -> Post:
    def send(
        body: Any, path: str = "/v1/batch", with_key: str | None = None, **headers: str
    ) -> HttpResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        secret = base64.b64encode(f"{with_key or key}:".encode()).decode()
        given = {"Authorization": f"Basic {secret}", **headers}
        return client.post(
            path, raw, content_type=given.pop("Content-Type", "application/json"), headers=given
        )  # type: ignore[return-value]

    return send


def code(response: HttpResponse) -> tuple[int, str]:
    body = json.loads(response.content)
    assert isinstance(body["message"], str)
    return response.status_code, body["code"]


def test_a_batch_is_answered_with_exactly_200(post: Post) -> None:
    response = post({"batch": [GOOD]})
    assert response.status_code == 200
    assert json.loads(response.content) == {"success": True, "counts": {"accepted": 1}}
    assert response["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"]
)
def test_the_content_type_does_not_matter_and_gzip_is_read(post: Post, content_type: str) -> None:
    raw = gzip.compress(json.dumps({"batch": [GOOD]}).encode())
    response = post(raw, **{"Content-Type": content_type, "Content-Encoding": "gzip"})
    assert response.status_code == 200
    assert Event.objects.get().message_id == "good"


@pytest.mark.parametrize("where", ["basic", "basic without colon", "body", "query"])
def test_the_write_key_may_come_in_four_ways(client: Client, key: str, where: str) -> None:
    headers, path, body = {}, "/v1/batch", {"batch": [GOOD]}
    if where.startswith("basic"):
        text = key if "without" in where else f"{key}:"
        headers = {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}
    elif where == "body":
        body["writeKey"] = key  # type: ignore[assignment]
    else:
        path += f"?writeKey={key}"
    assert (
        client.post(path, json.dumps(body), content_type="text/plain", headers=headers).status_code
        == 200
    )


@pytest.mark.parametrize("kind", ["identify", "track", "page", "screen", "group", "alias"])
def test_single_events_on_long_and_short_paths(post: Post, kind: str) -> None:
    body = {"userId": "u", "event": "x", "previousId": "p", "groupId": "g", "type": "ignored"}
    assert post(body, f"/v1/{kind}").status_code == 200
    assert post(body, f"/v1/{kind[0]}").status_code == 200
    assert set(Event.objects.values_list("type", flat=True)) == {kind}


def test_batch_context_is_merged_into_each_event(post: Post) -> None:
    post({"batch": [GOOD | {"context": {"b": 2}}], "context": {"a": 1, "b": 1}})
    assert Event.objects.get().payload["context"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'{"batch": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "json_too_deep"),
        (b'{"batch": {"a": 1}}', 400, "bad_batch"),
        (b"{}", 400, "bad_batch"),
        (b'{"batch": [], "context": 5}', 400, "not_an_object"),
        (json.dumps({"batch": [1] * 2501}).encode(), 400, "too_many_events"),
        (b'{"batch": [], "context": {"a": "\\u0000"}}', 400, "nul_character"),
        (b'{"batch": [], "context": {"a": "\\ud800"}}', 400, "bad_unicode"),
        (b'{"batch": [], "context": {"a": 1e999}}', 400, "bad_number"),
        (b'{"batch": [], "integrations": {"a\\u0000": 1}}', 400, "nul_character"),
        (b'{"batch": [], "context": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}", 400, "too_deep"),
        (b'{"batch": [], "context": {"a": "' + b"x" * 40_000 + b'"}}', 400, "too_large"),
        (b" " * (5 * 1024 * 1024), 413, "body_too_large"),
    ],
)
def test_bad_bodies(post: Post, body: bytes, status: int, error: str) -> None:
    assert code(post(body)) == (status, error)
    assert not Event.objects.exists()


def test_a_gzip_bomb_is_not_expanded(post: Post) -> None:
    bomb = gzip.compress(b"0" * 100_000_000)
    assert len(bomb) < 200_000
    assert code(post(bomb, **{"Content-Encoding": "gzip"})) == (413, "body_too_large")


@pytest.mark.parametrize("raw", [b"plain", gzip.compress(b"{}" * 99)[:-9], b"\x1f\x8b"])
def test_broken_gzip(post: Post, raw: bytes) -> None:
    assert code(post(raw, **{"Content-Encoding": "gzip"})) == (400, "bad_gzip")


def test_keys(client: Client, post: Post) -> None:
    assert code(post({"batch": [GOOD]}, with_key="wrong")) == (401, "invalid_write_key")
    none = client.post("/v1/batch", "{}", content_type="application/json")
    assert code(none) == (401, "missing_write_key")  # type: ignore[arg-type]
    garbled = client.post(
        "/v1/batch", "{}", content_type="text/plain", headers={"Authorization": "Basic !"}
    )
    assert code(garbled) == (401, "invalid_write_key")  # type: ignore[arg-type]


def test_keys_that_are_no_text(client: Client, db: None) -> None:
    lone = client.post("/v1/batch", b'{"writeKey": "\\ud800"}', content_type="text/plain")
    assert code(lone) == (401, "invalid_write_key")  # type: ignore[arg-type]
    latin = client.post(
        "/v1/batch", b"{}", content_type="text/plain", headers={"Authorization": "Basic \xff\xfe"}
    )
    assert code(latin) == (401, "invalid_write_key")  # type: ignore[arg-type]


def test_a_stranger_costs_no_decompression(client: Client, db: None) -> None:
    members = gzip.compress(b"") * 1000
    headers = {
        "Content-Encoding": "gzip",
        "Authorization": f"Basic {base64.b64encode(b'wrong:').decode()}",
    }
    refused = client.post("/v1/batch", members, content_type="text/plain", headers=headers)
    assert code(refused) == (401, "invalid_write_key")  # type: ignore[arg-type]


def test_many_gzip_members_are_refused(post: Post) -> None:
    assert code(post(gzip.compress(b"") * 1000, **{"Content-Encoding": "gzip"})) == (
        400,
        "bad_gzip",
    )
    two = gzip.compress(b'{"batch"') + gzip.compress(b": []}")
    assert post(two, **{"Content-Encoding": "gzip"}).status_code == 200


def test_refused_messages_are_kept_as_they_came(post: Post) -> None:
    """Different messages under one id are all kept, long numbers with every digit."""
    digits = "9" * 400
    raw = (
        '{"batch": [{"type": "page", "userId": "u", "messageId": "one"},'
        ' {"type": "jump", "userId": "u", "messageId": "one"}, {"type": "hop", "messageId": "one"},'
        f' {{"type": "page", "userId": "u", "messageId": "two", "properties": {{"n": {digits}}}}}]}}'
    )
    post(raw.encode())
    kept = QuarantinedEvent.objects.order_by("id").values_list("message_id", "reason")
    assert list(kept) == [("one", "unknown_type"), ("one", "unknown_type"), ("two", "bad_number")]
    assert digits in QuarantinedEvent.objects.get(reason="bad_number").raw
    assert Receipt.objects.get(message_id="one").status == "accepted"


def test_a_disabled_source(post: Post) -> None:
    from cdp.models import Source

    Source.objects.update(enabled=False)
    assert code(post({"batch": [GOOD]})) == (403, "source_disabled")


def test_what_is_bad_in_a_batch_is_quarantined_beside_what_is_good(post: Post) -> None:
    raw = b"""{"batch": [
        {"type": "page", "userId": "alice", "messageId": "good"},
        {"type": "jump", "userId": "alice", "messageId": "type"},
        {"type": "page", "messageId": "ids"},
        {"type": "page", "userId": "a", "messageId": "nul", "properties": {"x": "\\u0000"}},
        {"type": "page", "userId": "a", "messageId": "half", "properties": {"x": "\\ud800"}},
        {"type": "page", "userId": "a", "messageId": "nan", "properties": {"x": NaN}},
        {"type": "page", "userId": "a", "messageId": "long", "properties": {"x": %s}}]}"""
    response = post(raw % (b"9" * 5000))
    assert response.status_code == 200
    body = json.loads(response.content)
    assert body["counts"] == {"accepted": 1, "quarantined": 6}
    assert {q["messageId"]: q["code"] for q in body["quarantined"]} == {
        "type": "unknown_type", "ids": "missing_id", "nul": "nul_character",
        "half": "bad_unicode", "nan": "bad_number", "long": "bad_number",
    }  # fmt: skip
    assert (
        Receipt.objects.filter(status="quarantined").count()
        == QuarantinedEvent.objects.count()
        == 6
    )


def test_a_bad_single_event_is_told_why(post: Post) -> None:
    assert code(post({"userId": "u"}, "/v1/track")) == (400, "missing_event")


def test_browsers_may_ask_first(client: Client, key: str) -> None:
    asked = client.options("/v1/t")
    assert (asked.status_code, asked["Access-Control-Allow-Methods"]) == (200, "GET, POST, OPTIONS")
    found = client.get(f"/v1/projects/{key}/settings").json()
    assert "Segment.io" in found["integrations"]
    assert client.get("/v1/projects/nope/settings").status_code == 401


def test_other_methods_and_paths(client: Client) -> None:
    assert code(client.get("/v1/batch")) == (405, "method_not_allowed")  # type: ignore[arg-type]
    assert code(client.post("/v1/nothing")) == (404, "not_found")  # type: ignore[arg-type]
