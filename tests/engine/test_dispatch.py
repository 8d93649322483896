"""Who waits for whom among the requests of a live hub: no longer than there is a reason, and never for a thread that is too slow."""

from __future__ import annotations

import threading
from pathlib import Path

from config.loader import load
from connectors.psp.accepting import AcceptingConnector
from connectors.psp.contract import Deadline
from engine.hub import Hub
from engine.pacing import Pace, Paced
from engine.serving import Serving
from engine.verify import verify
from schemas.effect import EffectOrder, Reply
from tests.engine.sandbox import Sandbox, booking
from tests.engine.test_serving import START, STAY, Slow, at, paid_and_cancelled, say, served, soon, states

LEASE_US = 90 * 1_000_000


class Stopped(AcceptingConnector):
    """Its first send stands before the wire until it is let go. `written`: it was written before, and the provider acts only then."""

    def __init__(self, merchant: str, *, written: bool = False) -> None:
        super().__init__(merchant)
        self.written = written
        self.stands, self.go = threading.Event(), threading.Event()
        self.sent = 0

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        self.sent += 1
        if self.sent == 1:
            self.stands.set()
            assert self.go.wait(20)
        return super().send(order, Deadline.within(1) if self.written else deadline)


def evidence(hub: Hub) -> list[tuple[str, str]]:
    return [(row["act"], row["result"]) for row in hub.reading.rows("SELECT act, result FROM evidence ORDER BY seq")]


def booked(hub: Hub, *prices: int) -> None:
    """A stay in so many lines, paid by one card payment."""
    lines = [{**STAY, "line": str(place), "price": price} for place, price in enumerate(prices, 1)]
    say(hub, "b", "booking.confirmed", folio="B-1", property="camp-azur", currency="EUR", booked_at=START, lines=lines)
    say(hub, "p", "payment.received", folio="B-1", payment="P", amount=sum(prices), currency="EUR", provider="ogone",
        merchant="azur", provider_reference="9001")  # fmt: skip


def test_two_refunds_of_one_payment_follow_each_other(tmp_path: Path) -> None:
    """The second waits until the folio has heard of the first, and no longer."""
    with served(tmp_path, {"azur": Slow("azur", 0.05)}) as (hub, _):
        booked(hub, 10_000, 20_000)
        for line in ("1", "2"):
            say(hub, f"c-{line}", "cancellation.request", folio="B-1", request=f"R-{line}", lines=[{"line": line}], confirm=True)

        assert soon(lambda: states(hub) == ["confirmed", "confirmed"], 5)


def test_a_payment_is_asked_for_again_at_the_next_callback(tmp_path: Path) -> None:
    """However soon it comes after the first one."""
    with served(tmp_path, {"azur": AcceptingConnector("azur")}) as (hub, _):
        booked(hub, 10_000)
        for number, status in enumerate(("9", "8"), 1):
            say(
                hub, f"n-{number}", "provider.notified", provider="ogone", merchant="azur", provider_reference="9001", status=status
            )

            assert soon(lambda: len(evidence(hub)) == number, 5), (number, evidence(hub))  # noqa: B023 - called in this turn


def test_a_thread_that_is_too_slow_is_waited_for_by_nobody(tmp_path: Path) -> None:
    """Its lease is over: the request is in doubt and is asked about, nothing is sent again, and what it brings late is kept."""
    connector, clock = Stopped("azur", written=True), at()
    with served(tmp_path, {"azur": connector}, clock=clock) as (hub, _):
        paid_and_cancelled(hub, "B-1", "9001")
        assert connector.stands.wait(8)
        assert states(hub) == ["sending"]
        clock.advance(clock.now() + LEASE_US)
        assert soon(lambda: states(hub) == ["unknown"])
        clock.advance(clock.now() + LEASE_US)
        assert soon(lambda: evidence(hub) == [("query", "confirmed")] * 2)

        connector.go.set()

        assert soon(lambda: evidence(hub)[2:] == [("late", "confirmed")]), evidence(hub)
        assert states(hub) == ["unknown"]
        clock.advance(clock.now() + 10 * LEASE_US)
        assert soon(lambda: states(hub) == ["confirmed"])
        assert connector.sent == 1
        assert soon(lambda: hub.reading.rows("SELECT 1 FROM outbox WHERE name = 'refund.executed'"))


def test_a_thread_that_stands_before_the_wire_past_its_lease_writes_nothing(tmp_path: Path) -> None:
    """However late it goes on, even after a person has settled the request: its call has one end, fixed before it stood."""
    connector, clock = Stopped("azur"), at()
    with served(tmp_path, {"azur": connector}, clock=clock) as (hub, _):
        paid_and_cancelled(hub, "B-1", "9001")
        assert connector.stands.wait(8)
        clock.advance(clock.now() + LEASE_US)
        assert soon(lambda: states(hub) == ["unknown"])
        (effect,) = hub.reading.rows("SELECT id FROM effect")
        say(hub, "s", "effect.settle", folio="B-1", subject=effect["id"], result="refused", reason="nothing is there",
            actor={"kind": "operator", "id": "ops"})  # fmt: skip
        assert soon(lambda: states(hub) == ["refused"])

        connector.go.set()

        assert soon(lambda: ("late", "not_sent") in evidence(hub)), evidence(hub)
        assert (states(hub), connector.query("9001", "", Deadline.within(1)).records) == (["refused"], ())


def test_what_no_thread_has_begun_when_the_hub_stops_was_not_sent(tmp_path: Path) -> None:
    """Marked, and behind a call that takes its time: it is planned again, and never in doubt."""
    connector = Stopped("azur")
    hub = Hub(load(None, {}), str(tmp_path / "hub.sqlite"), {"azur": Paced(connector, Pace("azur", 1000, 5, 30), 1)}, clock=at())
    serving = Serving(hub, {})
    try:
        for number in range(3):
            paid_and_cancelled(hub, f"B-{number}", f"900{number}")
        while hub.run_lanes().decided:
            pass
        serving.start()
        assert connector.stands.wait(8)
        assert soon(lambda: sorted(states(hub)) == ["planned", "sending", "sending"]), states(hub)

        serving.stop(1.0)

        assert sorted(states(hub)) == ["planned", "planned", "sending"]
        assert evidence(hub)[2:] == [("send", "not_sent")]
        assert [row["code"] for row in hub.reading.rows("SELECT code FROM evidence WHERE result = 'not_sent'")] == ["stopped"]
        connector.go.set()
        assert soon(lambda: sorted(states(hub)) == ["confirmed", "planned", "planned"])
        assert connector.sent == 1
    finally:
        connector.go.set()
        hub.close()


def test_a_last_refund_that_overtakes_another_does_not_close_the_payment() -> None:
    """The provider takes nothing more after RFS: while the first refund waits, the last one goes as one of several."""
    sandbox = Sandbox({"when": {"endpoint": "query", "call": 1}, "answer": "silence"})
    line = {"trade": "outdoor", "terms": "outdoor/flexible", "arrival": "2026-07-24", "departure": "2026-07-31"}
    lines = [{**line, "line": "1", "price": 12_000}, {**line, "line": "2", "price": 8_000}]
    sandbox.say("booking.confirmed", booking(lines=lines))
    payid = sandbox.pay("B-1", 20_000, "O-1")
    sandbox.cancel(request="C-1", lines=[{"line": "1"}])  # the provider cannot be asked: later
    sandbox.cancel(request="C-2", lines=[{"line": "2"}])
    assert [row["state"] for row in sandbox.rows("SELECT state FROM effect ORDER BY minor")] == ["confirmed", "planned"]

    sandbox.pass_time(3_600)

    assert [row["state"] for row in sandbox.rows("SELECT state FROM effect")] == ["confirmed", "confirmed"]
    assert sorted(sandbox.operations(payid)) == [("RFD", 8_000, "8"), ("RFD", 12_000, "8")]
    assert verify(sandbox.database).differences == ()
