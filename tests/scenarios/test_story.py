"""The story of one folio kept true, end to end: real RabbitMQ, real HTTP, the hub and the provider's simulator as processes.

A PMS publishes over AMQP, an XML channel posts OTA documents, a guest asks and confirms over HTTP, the provider takes a refund and says
nothing, the hub queries and finds it, the callback comes twice, outcomes reach the PMS, and `foliohub explain` shows every cent.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree

from console.command import sample_day
from schemas.envelope import folio_id
from tests.services.amqp_tools import channel, send, wait_until
from tests.services.rabbitmq import RabbitMQ

OTA = "{http://www.opentravel.org/OTA/2003/05}"
DAY = datetime.now(UTC).date()
SCRIPT = {
    "rules": [
        {
            "when": {"order": "B2001-1", "operation": ["RFD", "RFS"]},
            "answer": "silence",
            "callbacks": {"repeat": 2, "delay_s": 4},
        }
    ]
}

SETTINGS = """
[amqp]
url = "{url}"
password = {{ env = "PMS_PASSWORD" }}

[effects]
deadline_s = 1.5
query_after_s = [0.5, 1, 2, 4, 8]
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "console.command", *words]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def foliohub(env: dict[str, str], *words: str) -> str:
    done = subprocess.run(command(*words), env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


@contextmanager
def process(env: dict[str, str], log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        running = subprocess.Popen(command(*words), env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            assert running.wait(15) == 0, log.read_text()[-3000:]
        except subprocess.TimeoutExpired:
            running.kill()
            raise


class World:
    """Everything that runs, and how each side speaks."""

    def __init__(self, folder: Path, amqp: str) -> None:
        self.folder, self.amqp = folder, amqp
        self.port, self.provider_port = free_port(), free_port()
        self.url, self.provider = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.provider_port}"
        config = folder / "config"
        shutil.copytree(str(resources.files("config") / "shipped"), config)
        with (config / "hub.toml").open("a") as hub:
            hub.write(SETTINGS.format(url=amqp.replace("guest:guest@", "guest@")))
        self.env = {
            **os.environ,
            "PMS_PASSWORD": "guest",
            "FOLIOHUB_CONFIG": str(config),
            "FOLIOHUB_STORE": str(folder / "hub.sqlite"),
            "FOLIOHUB_MERCHANT_AZUR_BASE_URL": f"{self.provider}/ncol/test/",
        }
        self.key = self.read_key = self.channel_key = ""

    def publish(self, event: dict[str, Any]) -> None:
        """As a PMS does: binary mode, to the hub's queue."""
        data = event.pop("data")
        content = event.pop("datacontenttype")
        headers = {f"cloudEvents:{name}": value for name, value in event.items()}
        send(self.amqp, "foliohub.intake", json.dumps(data).encode(), headers=headers, content_type=content)

    def post(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """As a guest's page does; the outcomes."""
        answer = requests.post(
            f"{self.url}/messages?wait=10s",
            json=event,
            headers={"Content-Type": "application/cloudevents+json", "Authorization": f"Bearer {self.key}"},
            timeout=15,
        )
        assert answer.status_code == 200, answer.text
        return [outcome for receipt in _receipts(answer.json()) for outcome in receipt["outcomes"]]

    def xml(self, body: bytes) -> etree._Element:
        """As a channel does."""
        answer = requests.post(
            f"{self.url}/channels/demo/ota",
            data=body,
            headers={"Content-Type": "text/xml", "Authorization": f"Bearer {self.channel_key}"},
            timeout=15,
        )
        assert answer.status_code == 200, answer.text
        return etree.fromstring(answer.content)

    def pay(self, order: str, minor: int) -> str:
        """A guest pays by card at the provider; the PAYID."""
        made = requests.post(
            f"{self.provider}/admin/payments",
            json={"order": order, "minor": minor, "currency": "EUR", "operation": "SAL", "callback": False},
            timeout=5,
        )
        made.raise_for_status()
        return str(made.json()["payid"])

    def books(self) -> dict[str, Any]:
        books: dict[str, Any] = requests.get(f"{self.provider}/admin/books", timeout=5).json()
        return books

    def folio(self, folio: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/folios/{folio}", headers={"Authorization": f"Bearer {self.read_key}"}, timeout=5)
        return answer.json() if answer.status_code == 200 else {}


def _receipts(answer: Any) -> list[dict[str, Any]]:
    return answer if isinstance(answer, list) else [answer]


@pytest.fixture(scope="module")
def world(rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("story"), rabbitmq.url)
    script = made.folder / "script.json"
    script.write_text(json.dumps(SCRIPT))
    provider = ("simulator", "ogone", "--script", str(script), "--port", str(made.provider_port))
    provider += ("--books", str(made.folder / "books.sqlite"), "--callback-url", f"{made.url}/psp/ogone/azur")
    with (
        process(made.env, made.folder / "provider.log", *provider),
        process(made.env, made.folder / "hub.log", "run", "--port", str(made.port)),
    ):
        wait_until(lambda: _answers(f"{made.provider}/admin/health"), "the simulator serves")
        wait_until(lambda: _answers(f"{made.url}/ready"), "the hub is ready")
        made.key, made.read_key, made.channel_key = (
            json.loads(foliohub(made.env, "keys", "add", "--scope", scope, "--json"))["key"]
            for scope in ("messages", "read", "channel:demo")
        )
        yield made


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


def outcomes(world: World, queue: str = "pms.thais") -> list[dict[str, Any]]:
    """What the PMS finds in its queue, taken and acknowledged."""
    found = []
    with channel(world.amqp) as at:
        while (letter := at.basic_get(queue)) is not None:
            headers = letter.headers or {}
            found.append({"type": headers.get("cloudEvents:type"), **json.loads(letter.body)})
            at.basic_ack(letter.delivery_tag)
    return found


def test_the_payment_comes_first_and_the_booking_twice(world: World) -> None:
    """Story 1: early, by ORDERID alone, over AMQP; then the booking, then the booking again."""
    payment = sample_day.payment("B-2001", world.pay("B2001-1", 20500), 20500)
    world.publish(dict(payment))
    booking = sample_day.silent_booking(DAY)
    booking["data"]["commission_rate"] = "10 %"
    world.publish(dict(booking))
    world.publish(dict(booking))
    wait_until(lambda: world.folio("B-2001").get("sums", {}).get("collected") == 20500, "the payment found its booking")

    sums = world.folio("B-2001")["sums"]

    assert (sums["ordered"], sums["collected"], sums["balance"]) == (20500, 20500, 0)


def test_a_channel_books_modifies_asks_and_cancels(world: World) -> None:
    """Story 2: by its own UniqueID; the answers say what was decided, and a repeat gets the stored first answer."""
    booked = world.xml(sample_day.reservation_xml(DAY, "Commit", "420.00", 7))
    modified = world.xml(sample_day.reservation_xml(DAY, "Modify", "360.00", 6))
    world.publish(sample_day.channel_payment(world.pay("CAMP77-1", 36000), 36000))
    stay = folio_id("azur", sample_day.NAMESPACE, sample_day.RESERVATION)
    wait_until(lambda: world.folio(stay).get("sums", {}).get("collected") == 36000, "the payment reached the channel's stay")
    quoted = world.xml(sample_day.cancel_xml("Quote"))
    cancelled = world.xml(sample_day.cancel_xml("Cancel"))
    again = world.xml(sample_day.cancel_xml("Cancel"))

    assert all(answer.find(f"{OTA}Success") is not None for answer in (booked, modified, quoted, cancelled, again))
    assert [rule.get("Amount") for rule in quoted.iter(f"{OTA}CancelRule") if rule.get("Type") == "Refund"] == ["360.00"]
    assert _without_time(cancelled) == _without_time(again)
    unknown = world.xml(sample_day.cancel_xml("Cancel").replace(b"CAMP-77", b"NOBODY"))
    error = unknown.find(f"{OTA}Errors/{OTA}Error")
    assert error is not None
    assert error.get("Type") == "3"


def test_a_guest_asks_and_confirms_and_the_silent_refund_is_found(world: World) -> None:
    """Story 3 and 4: a quote with its expiry, the confirmation, one send, a time-out, queries, the record bound, two callbacks."""
    quoted = world.post(sample_day.guest_asks("B-2001"))[0]
    confirmed = world.post(sample_day.guest_confirms("B-2001"))
    wait_until(lambda: _effect(world)["state"] == "confirmed", "the refund is found by query", 30)
    wait_until(lambda: _callbacks(world) >= 2, "the provider told of it twice", 30)

    assert quoted["type"] == "foliohub.cancellation.quoted.v1"
    assert tuple(quoted["data"][name] for name in ("penalty", "refund", "kept")) == (14000, 6000, 14500)
    assert quoted["data"]["valid_until"] <= (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    assert confirmed[0]["type"] == "foliohub.cancellation.confirmed.v1"
    payid = world.folio("B-2001")["payments"][0]["reference"]
    asked = [request["fields"] for request in world.books()["requests"] if request["fields"].get("PAYID") == payid]
    assert [fields["AMOUNT"] for fields in asked if fields.get("OPERATION") in ("RFD", "RFS")] == ["6000"]
    effect = _effect(world)
    assert (effect["minor"], effect["attempts"]) == (6000, 1)
    time.sleep(1.5)  # the second callback has caused its query by now, and changed nothing
    assert world.folio("B-2001")["payments"][0]["refunded"] == 6000


def _effect(world: World) -> dict[str, Any]:
    listed = json.loads(foliohub(world.env, "effects", "list", "--all", "--json"))
    found: list[dict[str, Any]] = [row for row in listed if row["folio"] == "B-2001"]
    assert len(found) == 1
    return found[0]


def _callbacks(world: World) -> int:
    payid = world.folio("B-2001")["payments"][0]["reference"]
    return sum(told["payid"] == payid and told["state"] == "delivered" for told in world.books()["callbacks"])


def _without_time(answer: etree._Element) -> bytes:
    answer.attrib.pop("TimeStamp", None)
    return etree.tostring(answer)


def test_the_pms_is_told(world: World) -> None:
    """Story 5: outcomes over RabbitMQ, gapless in sequence for each folio."""
    wait_until(lambda: not _unpublished(world), "everything was published")
    told = outcomes(world)

    types = {message["type"] for message in told if message["folio"] == "B-2001"}
    assert types >= {
        f"foliohub.{name}.v1"
        for name in (
            "cancellation.quoted", "cancellation.confirmed", "refund.decided", "refund.unknown", "refund.executed", "stock.released",
        )
    }  # fmt: skip
    sequence = [message["sequence"] for message in told if message["folio"] == "B-2001"]
    assert sequence == list(range(1, len(sequence) + 1))


def _unpublished(world: World) -> bool:
    text = requests.get(f"{world.url}/metrics", timeout=5).text
    return "foliohub_outcomes_unpublished 0.0" not in text


def test_every_cent_is_explained(world: World) -> None:
    """Story 6: inputs, terms, rule ids, arithmetic, entries, requests, answers."""
    text = foliohub(world.env, "explain", "B-2001")

    for shown in ("outdoor/flexible/1", "S4-32", "120.00 EUR", "refunds:B-2001", "money:ogone/azur", "RFD", "60.00"):
        assert shown in text
    assert "Camille" not in text
    foliohub(world.env, "verify")
    foliohub(world.env, "ledger", "check")
