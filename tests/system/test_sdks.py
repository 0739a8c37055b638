"""The four official SDKs against a running server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp import pipeline
from cdp.domain.identifiers import Key
from cdp.models import Event, Receipt
from cdp.selectors.customers import by_identifiers, identifiers_of
from cdp.stages.register import register_source
from tests.conftest import need
from tests.stack_plugin import ROOT

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]
SDK = ROOT / "tests" / "sdk"


class FirstFails:
    """A gateway before the real server that answers 503 to the first requests, as a restart does."""

    def __init__(self, port: int, failures: int) -> None:
        self.target = port
        self.failures = failures
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self.failures > 0:
                self.failures -= 1
                client.recv(65536)
                body = b'{"code":"store_unavailable","message":"starting"}'
                head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                client.sendall(head.encode() + body)
                return
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join(20)

    def close(self) -> None:
        self.listener.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def gateway(live_url: str) -> Iterator[str]:
    proxy = FirstFails(int(live_url.rsplit(":", 1)[1]), failures=1)
    yield f"http://127.0.0.1:{proxy.port}"
    proxy.close()


def segment_python(url: str, key: str) -> None:
    from segment.analytics.client import Client

    for _ in range(2):
        client = Client(key, host=url, upload_interval=0.1, on_error=_fail)
        client.identify(
            "u-sp", {"email": "sp@mail.example"}, anonymous_id="anon-sp", message_id="sp-1"
        )
        client.track(
            "u-sp",
            "Product Viewed",
            {"sku": "T1", "price": 3},
            anonymous_id="anon-sp",
            message_id="sp-2",
        )
        client.alias("old-sp", "u-sp", message_id="sp-3")
        client.flush()
        client.join()


def rudder_python(url: str, key: str) -> None:
    from rudderstack.analytics.client import Client

    for _ in range(2):
        client = Client(key, host=url, upload_interval=0.1, on_error=_fail)
        client.identify(
            "u-rp", {"email": "rp@mail.example"}, anonymous_id="anon-rp", message_id="rp-1"
        )
        client.track(
            "u-rp",
            "Product Viewed",
            {"sku": "T1", "price": 3},
            anonymous_id="anon-rp",
            message_id="rp-2",
        )
        client.alias("old-rp", "u-rp", message_id="rp-3")
        client.flush()
        client.join()


def node(script: str) -> Callable[[str, str], None]:
    def run(url: str, key: str) -> None:
        need(shutil.which("node") is not None, "node (Node.js SDKs not tested)")
        need((SDK / "node_modules").is_dir(), "npm packages (make test installs them where npm is)")
        done = subprocess.run(
            ["node", str(SDK / script), url, key],
            cwd=SDK,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def _fail(error: Exception, batch: Any) -> None:
    raise AssertionError(f"the SDK gave up: {error}")


@pytest.mark.parametrize(
    ("deliver", "tag"),
    [
        pytest.param(segment_python, "sp", id="segment-analytics-python"),
        pytest.param(rudder_python, "rp", id="rudder-sdk-python"),
        pytest.param(node("segment.cjs"), "sn", id="segment-analytics-node"),
        pytest.param(node("rudder.cjs"), "rn", id="rudder-sdk-node"),
    ],
)
def test_identify_track_alias_with_a_503_in_the_middle_and_everything_sent_twice(
    gateway: str, deliver: Callable[[str, str], None], tag: str, tmp_path: Path
) -> None:
    _, key = register_source("web-shop", "web")
    deliver(gateway, key)
    found = Event.objects.order_by("message_id").values_list("message_id", "type")
    assert list(found) == [(f"{tag}-1", "identify"), (f"{tag}-2", "track"), (f"{tag}-3", "alias")]
    receipts = Receipt.objects.values_list("status", "duplicates")
    assert list(receipts) == [("accepted", 1)] * 3
    pipeline.process_events()
    key_ = Key("email", f"{tag}@mail.example")
    customer = by_identifiers([key_])[key_].customer
    assert {str(i) for i in identifiers_of([customer.id])[customer.id]} == {
        f"user_id:u-{tag}", f"email:{tag}@mail.example", f"cookie:anon-{tag}", f"cookie:old-{tag}",
    }  # fmt: skip
