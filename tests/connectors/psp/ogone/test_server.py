"""The simulator as it ships: over HTTP, as a process of its own, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from connectors.psp.contract import Deadline
from connectors.psp.ogone import callback
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.simulator.accounts import SANDBOX, merchant_account
from connectors.psp.ogone.simulator.script import Script
from connectors.psp.ogone.simulator.server import Simulator
from schemas.effect import EffectKind, EffectOrder, Reply, Result

ROOT = Path(__file__).parents[4]


def refund(connector: OgoneConnector, payid: str, minor: int = 2000, deadline_s: float = 5) -> Reply:
    order = EffectOrder(
        effect="e", key="e", kind=EffectKind.REFUND, provider="ogone", merchant="azur", reference=payid, order="B1", minor=minor,
        currency="EUR",
    )  # fmt: skip
    return connector.send(order, Deadline.within(deadline_s))


@contextmanager
def merchant(status: int = 200) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Somewhere for callbacks to go: its address, and what came."""
    came: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(("GET", self.path.partition("?")[2].encode("ascii")))
            self.answer()

        def do_POST(self) -> None:
            came.append(("POST", self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer()

        def answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/psp/ogone/azur", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_callbacks_over_http(method: str) -> None:
    """Signed, by either method, accents included, once each when the merchant says 200."""
    with merchant() as (url, came):
        account = msgspec.structs.replace(SANDBOX, callback_method=method, holder="Zoë Müller")
        with Simulator(accounts=[account], callback_url=url) as simulator:
            own = merchant_account(account, "azur", simulator.base_url)
            payid = simulator.provider.create("B1", 20000, "EUR", simulator.clock())
            assert refund(OgoneConnector(own), payid).result is Result.CONFIRMED
            until(lambda: len(came) == 2)
            until(lambda: all(c["state"] == "delivered" for c in simulator.provider.books.callbacks()))

    got = [callback.verify(text, own) for _, text in came]
    assert {how for how, _ in came} == {method}
    assert [(g.level, g.status, g.minor) for g in got] == [("0", "9", 20000), ("1", "8", 2000)]


def test_callbacks_that_are_refused_are_tried_again() -> None:
    """A 500 from the merchant is a callback to repeat."""
    script = msgspec.convert({"callbacks": {"tries": 3, "retry_s": 0.1}}, Script)
    with merchant(500) as (url, came), Simulator(script, callback_url=url) as simulator:
        simulator.provider.create("B1", 20000, "EUR", simulator.clock())
        until(lambda: simulator.provider.books.callbacks()[0]["state"] == "given_up")

    assert len(came) == 3
    assert len(set(came)) == 1


def test_json_door() -> None:
    """Payments made, clicks in the back office, the books read; what is wrong is said."""
    with Simulator() as simulator:
        url = simulator.url + "/admin"
        made = requests.post(url + "/payments", json={"order": "B1", "minor": 20000}, timeout=5)
        payid = made.json()["payid"]
        again = requests.post(url + "/payments", json={"order": "B1", "minor": 20000}, timeout=5)
        click = requests.post(url + "/back-office", json={"payid": payid, "minor": 700, "status": "81"}, timeout=5)
        settled = requests.post(url + "/settle", json={"payid": payid, "level": 1, "status": "8"}, timeout=5)
        bad = requests.post(url + "/payments", json={"order": "B2", "minor": 12.5}, timeout=5)
        odd = requests.post(url + "/payments", json={"order": "B2", "minor": 12, "currency": "EURO"}, timeout=5)
        books = requests.get(url + "/books", timeout=5).json()

    assert [r.status_code for r in (made, again, click, settled, bad, odd)] == [201, 409, 201, 200, 400, 400]
    assert again.json()["error"] == "50001113"
    assert [(o["minor"], o["status"], o["source"]) for o in books["payments"][0]["operations"]] == [
        (20000, "9", "merchant"),
        (700, "8", "back_office"),
    ]


def test_order_over_http() -> None:
    """A sale by orderdirect; the same order again is 50001113; its card is kept nowhere."""
    from connectors.psp.ogone import codec, signature

    with Simulator() as simulator:
        own = merchant_account(SANDBOX, "azur", simulator.base_url)
        fields = {
            "PSPID": own.pspid, "USERID": own.userid, "PSWD": own.pswd, "ORDERID": "B1", "AMOUNT": "20000", "CURRENCY": "EUR",
            "OPERATION": "SAL", "CARDNO": "4111111111111111", "CVC": "123", "ED": "1230",
        }  # fmt: skip
        fields["SHASIGN"] = signature.sign(fields, own.sha_in, own.signs_in)
        answers = [requests.post(own.page("orderdirect"), data=fields, timeout=5) for _ in range(2)]
        shown = requests.get(simulator.url + "/admin/books", timeout=5).text

    first, second = (codec.parse_response(a.content, a.headers["Content-Type"]) for a in answers)
    assert (first.status, first.minor) == ("9", 20000)
    assert (second.status, second.ncerror) == ("0", "50001113")
    assert "4111" not in shown
    assert '"123"' not in shown


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("POST", "/ncol/test/maintenancedirect.asp", b"x" * 70_000, 413),
        ("POST", "/ncol/prod/maintenancedirect.asp", b"", 404),
        ("GET", "/ncol/test/other.asp", b"", 404),
        ("GET", "/admin/other", b"", 404),
        ("POST", "/admin/payments", b"{", 400),
        ("POST", "/admin/settle", b'{"payid": "1", "level": 100000000000000000000000000, "status": "8"}', 400),
        ("POST", "/admin/settle", b'{"payid": "1", "level": 9223372036854775807, "status": "8"}', 400),
        ("POST", "/admin/settle", b'{"payid": "1", "level": 1, "status": "8"}', 409),
        ("GET", "/ncol/test/querydirect.asp?A=1&A=2", b"", 200),
    ],
)
def test_odd_requests(method: str, path: str, data: bytes, status: int) -> None:
    """Each gets an answer, and the server goes on."""
    with Simulator() as simulator:
        got = requests.request(method, simulator.url + path, data=data, timeout=5)
        health = requests.get(simulator.url + "/admin/health", timeout=5)

    assert (got.status_code, health.status_code) == (status, 200)


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "connectors.psp.ogone.simulator", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_killed_and_started_again(tmp_path: Path) -> None:
    """A process of its own: killed after it acted and before it answered, it still knows what it did."""
    script = tmp_path / "play.json"
    script.write_text('{"rules": [{"when": {"endpoint": "maintenance"}, "answer": "silence"}]}')
    arguments = ("--script", str(script), "--books", str(tmp_path / "books.db"))
    process, base_url = start(*arguments)
    try:
        url = base_url.removesuffix("/ncol/test/")
        payid = requests.post(url + "/admin/payments", json={"order": "B1", "minor": 20000}, timeout=5).json()["payid"]
        connector = OgoneConnector(merchant_account(SANDBOX, "azur", base_url))
        replies: list[Reply] = []
        sender = threading.Thread(target=lambda: replies.append(refund(connector, payid)))
        sender.start()
        until(lambda: len(requests.get(url + "/admin/books", timeout=5).json()["payments"][0]["operations"]) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        sender.join()
        assert replies[0].result is Result.UNKNOWN
        assert refund(connector, payid).result is Result.NOT_SENT
    finally:
        process.kill()
        process.wait(10)
    process, base_url = start(*arguments)
    try:
        connector = OgoneConnector(merchant_account(SANDBOX, "azur", base_url))
        assert [r.minor for r in connector.query(payid, "", Deadline.within(5)).records] == [20000, 2000]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)


def test_process_refuses_a_bad_script(tmp_path: Path) -> None:
    """Exit 2, and where."""
    script = tmp_path / "play.json"
    script.write_text('{"rules": [{"answer": "shout"}]}')
    command = [sys.executable, "-m", "connectors.psp.ogone.simulator", "--script", str(script), "--books", str(tmp_path / "b.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert f"{script}:1:23: $.rules[0].answer" in done.stderr
