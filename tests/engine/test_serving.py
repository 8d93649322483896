"""The threads of a live hub: decisions, requests to providers, stopping, failing, resting, forgetting, old things."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from config.loader import load
from connectors.psp.accepting import AcceptingConnector
from connectors.psp.contract import Deadline, PaymentConnector
from engine.clock import ManualClock, SystemClock, micros
from engine.housekeeping import Housekeeping
from engine.hub import Hub
from engine.pacing import Pace, Paced
from engine.relay import OfAll, Relay, broker_url, topology, wanted
from engine.serving import Serving
from engine.store.contract import SLICE_US, Fenced
from engine.transport.contract import Arrival, Outgoing
from schemas.effect import EffectOrder, Reply
from schemas.errors import Retryable

START = "2026-05-01T08:00:00+00:00"
STAY = {
    "line": "1",
    "kind": "stay",
    "trade": "outdoor",
    "arrival": "2026-07-24",
    "departure": "2026-07-31",
    "terms": "outdoor/flexible",
}


class Slow(AcceptingConnector):
    """Takes its time with every request, and remembers how many were under way at once."""

    def __init__(self, merchant: str, pause_s: float = 0.0) -> None:
        super().__init__(merchant)
        self.pause_s = pause_s
        self.sent: list[str] = []
        self.most = self._now = 0
        self._counting = threading.Lock()
        self.begun = threading.Event()

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        with self._counting:
            self.sent.append(order.effect)
            self._now += 1
            self.most = max(self.most, self._now)
        self.begun.set()
        time.sleep(self.pause_s)
        with self._counting:
            self._now -= 1
        return super().send(order, deadline)


def at(text: str = START) -> ManualClock:
    return ManualClock(micros(datetime.fromisoformat(text)))


@contextmanager
def served(
    folder: Path, connectors: Mapping[str, PaymentConnector], *, clock: ManualClock | None = None, **settled: Any
) -> Iterator[tuple[Hub, Serving]]:
    """A hub with its threads."""
    configuration = msgspec.structs.replace(load(None, {}), **settled)
    hub = Hub(configuration, str(folder / "hub.sqlite"), connectors, clock=clock or at())
    serving = Serving(hub, {})
    try:
        serving.start()
        yield hub, serving
        serving.stop()
    finally:
        hub.close()


def say(hub: Hub, id_: str, name: str, **data: Any) -> str:
    """A message through the intake; the hub's id of it."""
    said = {"actor": {"kind": "guest", "id": "x"}, **data}
    event = {"specversion": "1.0", "id": id_, "source": "pms.thais", "type": f"foliohub.{name}.v1", "tenant": "azur", "data": said}
    (receipt,) = hub.intake.append(
        [Arrival(door="test", body=json.dumps(event).encode(), content_type="application/cloudevents+json")]
    )
    assert not receipt.reason, receipt
    return receipt.message


def paid_and_cancelled(hub: Hub, folio: str, reference: str) -> None:
    """A stay that was paid by card and is cancelled: 100 EUR are to be refunded."""
    line = {**STAY, "price": 10_000}
    say(hub, f"b-{folio}", "booking.confirmed", folio=folio, property="camp-azur", currency="EUR", booked_at=START, lines=[line],
        guest={"person": f"p-{folio}", "name": "Ada Lovelace"})  # fmt: skip
    say(hub, f"p-{folio}", "payment.received", folio=folio, payment="P", amount=10_000, currency="EUR", provider="ogone",
        merchant="azur", provider_reference=reference)  # fmt: skip
    say(hub, f"c-{folio}", "cancellation.request", folio=folio, request="R", confirm=True)


def soon(check: Callable[[], Any], timeout_s: float = 8.0) -> Any:
    """What `check` gives, as soon as it is true."""
    end = time.monotonic() + timeout_s
    while not (got := check()) and time.monotonic() < end:
        time.sleep(0.005)
    return got


def states(hub: Hub) -> list[str]:
    return [row["state"] for row in hub.reading.rows("SELECT state FROM effect ORDER BY id")]


def test_a_message_is_decided_and_its_money_moves(tmp_path: Path) -> None:
    """From the intake through a provider to the last outcome, by threads alone."""
    connector = Slow("azur")
    with served(tmp_path, {"azur": connector}) as (hub, _):
        paid_and_cancelled(hub, "B-1", "9001")

        assert soon(lambda: hub.reading.rows("SELECT 1 FROM outbox WHERE name = 'refund.executed'"))
        assert states(hub) == ["confirmed"]
        assert len(connector.sent) == 1


def test_requests_keep_to_their_bounds(tmp_path: Path) -> None:
    """Twelve refunds, three at once, none twice (X-28)."""
    connector = Slow("azur", 0.05)
    paced = Paced(connector, Pace("azur", 1000, 5, 30), 3)
    with served(tmp_path, {"azur": paced}) as (hub, _):
        for n in range(12):
            paid_and_cancelled(hub, f"B-{n}", f"91{n:02}")

        assert soon(lambda: states(hub) == ["confirmed"] * 12)
    assert connector.most == 3
    assert len(set(connector.sent)) == len(connector.sent) == 12


def test_a_slow_merchant_holds_up_no_other(tmp_path: Path) -> None:
    """One account hangs, with more due than its threads carry: the other one's refund goes out."""
    hanging, quick = Slow("slow", 1.0), Slow("azur")
    merchants = load(None, {}).merchants
    both = {**merchants, "slow": msgspec.structs.replace(merchants["azur"], merchant="slow")}
    connectors = {"slow": Paced(hanging, Pace("slow", 1000, 5, 30), 1), "azur": quick}
    with served(tmp_path, connectors, merchants=both) as (hub, _):
        for n in range(5):
            say(hub, f"b{n}", "booking.confirmed", folio=f"S-{n}", property="camp-azur", currency="EUR", booked_at=START,
                lines=[{**STAY, "price": 10_000}])  # fmt: skip
            say(hub, f"p{n}", "payment.received", folio=f"S-{n}", payment="P", amount=10_000, currency="EUR", provider="ogone",
                merchant="slow", provider_reference=f"92{n}")  # fmt: skip
            say(hub, f"c{n}", "cancellation.request", folio=f"S-{n}", request="R", confirm=True)
        assert hanging.begun.wait(5)
        paid_and_cancelled(hub, "B-9", "9300")

        begun = time.monotonic()
        assert soon(lambda: quick.sent)
        assert time.monotonic() - begun < 0.9


def test_a_resting_merchant_is_not_asked(tmp_path: Path) -> None:
    """The circuit breaker is open: its refund waits, untouched."""
    connector = Slow("azur")
    paced = Paced(connector, Pace("azur", 1000, 1, 3600), 4)
    paced.pace.heard(answered=False)
    with served(tmp_path, {"azur": paced}) as (hub, _):
        paid_and_cancelled(hub, "B-1", "9001")
        assert soon(lambda: states(hub) == ["planned"])
        time.sleep(0.2)

    assert connector.sent == []


def test_stopping_finishes_what_is_under_way(tmp_path: Path) -> None:
    """A call that ends in time is settled: nothing is left to do again."""
    connector = Slow("azur", 0.5)
    with served(tmp_path, {"azur": connector}) as (hub, serving):
        paid_and_cancelled(hub, "B-1", "9001")
        assert connector.begun.wait(5)
        begun = time.monotonic()
        serving.stop()

        assert time.monotonic() - begun < 3
        assert states(hub) == ["confirmed"]
        assert serving.ended.is_set()
        assert not serving.failed.is_set()


def test_stopping_waits_for_no_provider(tmp_path: Path) -> None:
    """A call that takes longer is in doubt, and is asked about later; the stop takes less than three seconds."""
    connector = Slow("azur", 4.0)
    with served(tmp_path, {"azur": connector}) as (hub, serving):
        paid_and_cancelled(hub, "B-1", "9001")
        assert connector.begun.wait(5)
        begun = time.monotonic()
        serving.stop()

        assert time.monotonic() - begun < 3.2
        assert states(hub) == ["sending"]


def test_what_is_unexpected_ends_the_serving(tmp_path: Path) -> None:
    """A hub that was fenced off stops, loudly, and says that it failed."""
    with capture_logs() as logs, served(tmp_path, {}) as (hub, serving):
        with hub.database.write() as connection:
            connection.execute("UPDATE lane SET epoch = epoch + 1")
        say(hub, "c", "cancellation.request", folio="none", request="R")

        assert serving.wait(5)
        assert serving.failed.is_set()
        assert isinstance(serving.failure, Fenced)
        assert "serving" in serving.problems()
    assert [line["log_level"] for line in logs if line["event"] == "serving_failed"] == ["critical"]


def test_a_store_that_is_away_is_a_problem_until_it_is_back(tmp_path: Path) -> None:
    """Told as the store's and as no other part's; nothing has failed, and what waited is decided."""
    hub = Hub(load(None, {}), str(tmp_path / "hub.sqlite"), {}, clock=at())
    serving = Serving(hub, {})
    try:
        say(hub, "c", "cancellation.request", folio="none", request="R")
        hub.database._writer.execute("PRAGMA busy_timeout=50")
        with closing(sqlite3.connect(hub.database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # somebody holds the file: the same as a disk that does not take a byte
            serving.start()
            assert soon(serving.problems) == {"store": "cannot be written"}
            other.execute("ROLLBACK")

        assert soon(lambda: not serving.problems())
        assert soon(lambda: hub.reading.rows("SELECT 1 FROM decision"))
        assert not serving.failed.is_set()
        serving.stop()
    finally:
        hub.close()


def test_an_idle_hub_costs_nothing(tmp_path: Path) -> None:
    """No busy waiting: less than one part in a hundred of a processor."""
    with served(tmp_path, {}):
        time.sleep(0.5)
        before = time.process_time()
        time.sleep(2.0)
        used_s = time.process_time() - before

    assert used_s / 2.0 < 0.02  # the test's own process included


def test_a_timer_fires_by_itself(tmp_path: Path) -> None:
    """Nobody sends anything: time alone moves the hub."""
    clock = at()
    with served(tmp_path, {}, clock=clock) as (hub, _):
        say(hub, "b", "booking.confirmed", folio="T-1", property="camp-azur", currency="EUR", booked_at=START, payment_plan="split",
            lines=[{**STAY, "price": 10_000}])  # fmt: skip
        assert soon(lambda: hub.reading.next_timer())
        clock.advance(micros(datetime.fromisoformat("2026-08-01T00:00:00+00:00")))

        assert soon(lambda: hub.reading.rows("SELECT 1 FROM outbox WHERE name = 'booking.second_payment_overdue'"))


def test_forgetting_reaches_memory_and_disk(tmp_path: Path) -> None:
    """X-11: after the commit the key is in no cache, and no copy of it in the write-ahead log."""
    with served(tmp_path, {}) as (hub, _):
        paid_and_cancelled(hub, "B-1", "9001")
        (row,) = hub.reading.rows("SELECT body FROM intake WHERE id = 'b-B-1'")
        sealed = json.loads(row["body"])["guest"]["name"]
        assert hub.vault.open("azur", "p-B-1", sealed) == "Ada Lovelace"
        (wrapped,) = hub.reading.rows("SELECT wrapped FROM subject_key WHERE subject = 'p-B-1'")

        say(hub, "f", "person.forget", subject="p-B-1", actor={"kind": "operator", "id": "me"})

        assert soon(lambda: hub.reading.rows("SELECT 1 FROM outbox WHERE name = 'person.forgotten'"))
        assert soon(lambda: hub.vault.open("azur", "p-B-1", sealed) is None)
        assert soon(lambda: not hub.unshredded)
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith(".key"))
        assert wrapped["wrapped"] not in stored


def test_a_reader_in_the_way_delays_the_shredding_and_nothing_else(tmp_path: Path) -> None:
    """X-11: a copy of the key stays in the log while somebody reads an old state; the hub goes on, and tries again by itself."""
    with served(tmp_path, {}) as (hub, _), closing(sqlite3.connect(hub.database.path, isolation_level=None)) as reader:
        paid_and_cancelled(hub, "B-1", "9001")
        (wrapped,) = hub.reading.rows("SELECT wrapped FROM subject_key WHERE subject = 'p-B-1'")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM intake").fetchone()
        say(hub, "f", "person.forget", subject="p-B-1", actor={"kind": "operator", "id": "me"})
        assert soon(lambda: hub.unshredded)
        say(hub, "c", "cancellation.request", folio="none", request="R")
        assert soon(lambda: hub.reading.rows("SELECT 1 FROM outbox WHERE key = 'none'"), 2)
        assert hub.unshredded

        reader.execute("COMMIT")

        assert soon(lambda: not hub.unshredded)
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith(".key"))
        assert wrapped["wrapped"] not in stored


def test_old_identities_and_old_dead_letter_keys_go(tmp_path: Path) -> None:
    """By whole slices and months, no earlier than the days say; what was sealed is unreadable then (X-1)."""
    clock = at()
    hub = Hub(load(None, {}), str(tmp_path / "hub.sqlite"), {}, clock=clock)
    try:
        say(hub, "c", "cancellation.request", folio="none", request="R")
        hub.run_lanes()
        (letter,) = hub.intake.append([Arrival(door="test", body=b"no message", attributes={"tenant": "azur"})])
        keeping = Housekeeping(hub)
        days = hub.configuration.hub

        clock.advance(clock.now() + days.inbox_days * 86_400_000_000)
        keeping.once()
        assert hub.reading.rows("SELECT count(*) AS n FROM inbox_slice") == [{"n": 1}]
        clock.advance(clock.now() + SLICE_US)
        keeping.once()
        assert hub.reading.rows("SELECT count(*) AS n FROM inbox_slice") == [{"n": 0}]

        (row,) = hub.reading.rows("SELECT bytes FROM dead_letter WHERE id = ?", (letter.dead_letter,))
        assert hub.vault.open_bytes("azur", "dead-letters/2026-05", row["bytes"]) == b"no message"
        clock.advance(micros(datetime.fromisoformat("2026-05-31T23:00:00+00:00")) + days.dead_letter_days * 86_400_000_000)
        keeping.once()
        assert hub.vault.open_bytes("azur", "dead-letters/2026-05", row["bytes"]) == b"no message"
        clock.advance(clock.now() + 2 * 3_600_000_000)
        keeping.once()
        assert hub.vault.open_bytes("azur", "dead-letters/2026-05", row["bytes"]) is None
    finally:
        hub.close()


class Shelf:
    """A broker of one process: takes in order, or is away."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.away = False
        self.most = 1000

    def publish(self, messages: Any) -> list[int]:
        if self.away:
            raise Retryable("away")
        self.taken += messages[: self.most]
        return [message.row for message in messages[: self.most]]


def test_the_relay_publishes_in_order_and_survives_an_outage(tmp_path: Path) -> None:
    """What is not confirmed stays, and goes out before anything newer; what nobody asked for is not offered."""
    shipped = load(None, {})
    configuration = msgspec.structs.replace(shipped, amqp=msgspec.structs.replace(shipped.amqp, url="amqp://127.0.0.1:1"))
    hub = Hub(configuration, str(tmp_path / "hub.sqlite"), {}, clock=at())
    try:
        shelf = Shelf()
        relay = Relay(OfAll(hub.reading), shelf, wanted(hub.configuration))
        paid_and_cancelled(hub, "B-1", "9001")
        hub.drain()
        shelf.away = True
        with pytest.raises(Retryable):
            relay.once()
        shelf.away, shelf.most = False, 2
        waiting = len(hub.reading.unpublished(1000))
        while relay.once()[0]:
            pass

        assert len(shelf.taken) == waiting > 5
        rows = [message.row for message in shelf.taken]
        assert rows == sorted(set(rows))
        assert shelf.taken[0].attributes["type"] == "foliohub.booking.accepted.v1"
        assert {message.key for message in shelf.taken} == {"B-1"}
        assert hub.reading.unpublished(10) == []
    finally:
        hub.close()


def test_the_broker_has_what_the_configuration_says() -> None:
    """The queues that are read, and one named after each source that wants outcomes, bound to its tenant's topics."""
    made = topology(load(None, {}))

    assert made.exchanges == ("foliohub.outcomes",)
    assert [queue.name for queue in made.queues] == ["foliohub.intake", "pms.thais"]
    patterns = {binding.pattern for binding in made.queues[1].bindings}
    assert {"azur.foliohub.booking.v1", "azur.foliohub.refund.v1", "azur.foliohub.ops.v1"} <= patterns


def test_the_brokers_password_is_put_in() -> None:
    from config.settings import Amqp, Secret

    shipped = load(None, {})
    amqp = Amqp(url="amqp://hub@broker:5671/x", password=Secret(env="BROKER"))

    url = broker_url(msgspec.structs.replace(shipped, amqp=amqp), {"BROKER": "p@ss/word"})

    assert url == "amqp://hub:p%40ss%2Fword@broker:5671/x"


def test_the_clock_of_a_live_hub_is_the_machines(tmp_path: Path) -> None:
    """Nothing is to be given for it."""
    hub = Hub(load(None, {}), str(tmp_path / "hub.sqlite"), {})
    try:
        assert isinstance(hub.clock, SystemClock)
    finally:
        hub.close()
