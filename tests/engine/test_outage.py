"""An outage changes no answer: what came at an instant is decided as of that instant, however much later a worker starts (X-16)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.transport.contract import Arrival
from tests.engine.sandbox import Sandbox, arrival, booking, names

Outcomes = list[tuple[str, dict[str, Any]]]
LIMITS = tuple(datetime(2026, 7, day, 22, tzinfo=UTC) for day in (19, 22))
"""Local midnights at which the refund of a stay from 24 July falls: from all to half, from half to nothing."""
QUOTE_S = 30 * 60
DAY_S = 86_400

AWAY_S = st.one_of(
    st.sampled_from((0, 1, QUOTE_S - 1, QUOTE_S, QUOTE_S + 1, 2 * 3_600, DAY_S, 4 * DAY_S, 5 * DAY_S)), st.integers(0, 5 * DAY_S)
)
"""For how long nobody decides."""
RECEIVED = st.tuples(
    st.sampled_from(LIMITS), st.one_of(st.sampled_from((-1, 0, 1, -QUOTE_S, QUOTE_S)), st.integers(-2 * DAY_S, DAY_S))
).map(lambda pair: pair[0] + timedelta(seconds=pair[1]))
"""When the words came: around the limits, which are the ends of a second payment's day too."""
QUOTED_S = st.one_of(st.sampled_from((1, QUOTE_S - 1, QUOTE_S, QUOTE_S + 1)), st.integers(1, 2 * QUOTE_S))
"""How long before them the quote was made that they confirm."""


def stay(received: datetime, paid: int) -> Sandbox:
    """A booking in two payments, `paid` of it paid by card, on the eve of what is to come."""
    sandbox = Sandbox()
    sandbox.say("booking.confirmed", booking(payment_plan="split"))
    sandbox.pay("B-1", paid, "O-1")
    return at(sandbox, received)


def at(sandbox: Sandbox, when: datetime) -> Sandbox:
    """Time comes to an instant, everything at its own time until a second before it."""
    sandbox.pass_time((when - sandbox.now()).total_seconds() - 1)
    sandbox.wait(1)
    return sandbox


def outcomes(sandbox: Sandbox, word: Arrival, away_s: int) -> Outcomes:
    """What the word brings in five days, when nobody decides for `away_s` after it came; what is told by the clock too."""
    (receipt,) = sandbox.append(word)
    assert receipt.message
    sandbox.wait(away_s)
    told = sandbox.drain()
    return told + sandbox.pass_time(6 * DAY_S - away_s)


def request(**more: Any) -> Arrival:
    return arrival("ask", "cancellation.request", {"folio": "B-1", "request": "C-1", **more}, actor="guest")


def confirm() -> Arrival:
    return arrival("yes", "cancellation.confirm", {"folio": "B-1", "request": "C-1"}, actor="guest")


PAID = st.sampled_from((6_000, 10_000, 20_000))


@settings(max_examples=60, deadline=None)
@given(received=RECEIVED, away_s=AWAY_S, paid=PAID)
@example(received=LIMITS[0] - timedelta(seconds=1), away_s=1, paid=20_000)
@example(received=LIMITS[1] - timedelta(seconds=1), away_s=5 * DAY_S, paid=10_000)
def test_x_16_a_limit_crossed_during_an_outage(received: datetime, away_s: int, paid: int) -> None:
    """Quote and confirmation at once."""
    word = request(confirm=True)
    at_once = outcomes(stay(received, paid), word, 0)

    assert "cancellation.confirmed" in names(at_once)
    assert outcomes(stay(received, paid), word, away_s) == at_once


@settings(max_examples=60, deadline=None)
@given(received=RECEIVED, quoted_s=QUOTED_S, away_s=AWAY_S, paid=PAID)
@example(received=LIMITS[0] - timedelta(seconds=1), quoted_s=60, away_s=QUOTE_S, paid=20_000)
@example(received=LIMITS[0], quoted_s=60, away_s=QUOTE_S, paid=20_000)
def test_x_16_a_quote_that_ends_during_an_outage(received: datetime, quoted_s: int, away_s: int, paid: int) -> None:
    """Confirmed in time is confirmed, too late is too late: by when it was said. Nobody works from the quote on."""
    told = []
    for outage in (False, True):
        sandbox = stay(received - timedelta(seconds=quoted_s), paid)
        sandbox.append(request())
        assert "cancellation.quoted" in names(sandbox.drain())
        between = [] if outage else sandbox.pass_time(quoted_s)
        sandbox.until(received.isoformat())
        told.append(between + outcomes(sandbox, confirm(), away_s if outage else 0))

    assert told[1] == told[0]
