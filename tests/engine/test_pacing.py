"""A merchant's pace in its own time: calls a second, and rest after silence."""

from __future__ import annotations

import pytest

from connectors.psp.accepting import AcceptingConnector
from connectors.psp.contract import Deadline
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from engine.pacing import Pace, Paced, PacedWire
from schemas.effect import EffectKind, EffectOrder, Reply, Result
from tests.engine.sandbox import Sandbox


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_so_many_calls_a_second() -> None:
    """A second's calls may come at once, the next waits its share of a second."""
    clock = Clock()
    pace = Pace("azur", 4, 5, 30, clock)
    for _ in range(4):
        assert pace.ready_in() == 0
        pace.spend()

    assert pace.ready_in() == pytest.approx(0.25)
    clock.now_s += 0.25
    assert pace.ready_in() == 0
    clock.now_s += 3600
    for _ in range(4):  # an idle hour saves up no more than a second's
        pace.spend()
    assert pace.ready_in() == pytest.approx(0.25)


def test_less_than_one_a_second() -> None:
    clock = Clock()
    pace = Pace("azur", 0.5, 5, 30, clock)
    pace.spend()

    assert pace.ready_in() == pytest.approx(2)


def test_calls_that_were_not_held_back_are_paid_later() -> None:
    """A query of several levels is one piece of work: it is never cut in half."""
    clock = Clock()
    pace = Pace("azur", 1, 5, 30, clock)
    for _ in range(5):
        pace.spend()

    assert pace.ready_in() == pytest.approx(5)


def test_rest_after_so_many_silences_in_a_row() -> None:
    """An answer in between starts the count anew; after the rest one more silence is enough."""
    clock = Clock()
    pace = Pace("azur", 100, 3, 30, clock)
    for answered in (False, False, True, False, False):
        pace.heard(answered)
        assert pace.ready_in() == 0
    pace.heard(answered=False)
    assert pace.ready_in() == pytest.approx(30)
    clock.now_s += 30
    assert pace.ready_in() == 0
    pace.heard(answered=False)
    assert pace.ready_in() == pytest.approx(30)
    pace.heard(answered=True)
    clock.now_s += 30
    pace.heard(answered=False)
    assert pace.ready_in() == 0


class Silent(AcceptingConnector):
    """Says nothing to anything."""

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
        return Reply(result=Result.UNKNOWN, code="silence")


def test_a_connector_counts_what_it_is_asked() -> None:
    """A refusal is an answer; silence is none."""
    clock = Clock()
    paced = Paced(Silent("azur"), Pace("azur", 100, 2, 30, clock), 4)
    order = EffectOrder(
        effect="e",
        key="k",
        kind=EffectKind.REFUND,
        provider="ogone",
        merchant="azur",
        reference="1",
        order="",
        minor=1,
        currency="EUR",
    )
    paced.query("1", "", Deadline.within(30))
    assert paced.send(order, Deadline.within(30)).result is Result.CONFIRMED
    paced.query("1", "", Deadline.within(30))
    assert paced.pace.ready_in() == 0
    paced.query("1", "", Deadline.within(30))

    assert paced.pace.ready_in() == pytest.approx(30)
    assert (paced.merchant, paced.can) == ("azur", AcceptingConnector.can)


def test_every_exchange_of_a_history_is_counted() -> None:
    """The payment's latest level, level 0, and level 1 that is not there: three, and a fourth when there is a refund."""
    box = Sandbox()
    payid = box.paid()
    pace = Pace("azur", 4, 5, 30, Clock())
    paced = Paced(OgoneConnector(box.connector.account, PacedWire(InProcessWire(box.provider, box.now), pace)), pace, 4)

    assert paced.query(payid, "", Deadline.within(30)).result is Result.CONFIRMED
    assert pace.ready_in() == 0
    box.cancel()
    assert len(paced.query(payid, "", Deadline.within(30)).records) == 2

    assert pace.ready_in() == pytest.approx((1 + 3) / 4)


@pytest.mark.parametrize(
    ("reply", "silent"),
    [
        (Reply(result=Result.UNKNOWN, code="silence"), True),
        (Reply(result=Result.UNKNOWN, code="deadline"), True),
        (Reply(result=Result.UNKNOWN, code="not_connected"), True),
        (Reply(result=Result.NOT_SENT, code="busy"), True),
        (Reply(result=Result.UNKNOWN, code="50001111"), False),
        (Reply(result=Result.REFUSED), False),
        (Reply(result=Result.CONFIRMED), False),
    ],
)
def test_what_is_silence(reply: Reply, silent: bool) -> None:
    """An answer that says nothing of use is one."""

    class Saying(AcceptingConnector):
        def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
            return reply

    paced = Paced(Saying("azur"), Pace("azur", 100, 1, 30, Clock()), 4)
    heard = paced.query("1", "", Deadline.within(30))

    assert heard is reply
    assert paced.pace.ready_in() == (30 if silent else 0)
