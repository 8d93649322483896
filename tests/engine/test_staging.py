"""What is remembered of aggregates between two chunks: as they are stored, the latest used, and nothing after a doubt."""

from __future__ import annotations

import pytest

from engine import staging
from engine.staging import Kept, Remembered
from engine.store.rows import Key
from tests.engine.sandbox import Sandbox, arrival, booking

A, B, C = (Key("t", "folio", name) for name in "abc")


def kept(version: int) -> Kept:
    return Kept(b"id", version, 1, "", 1, None)


def test_the_latest_used_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is taken comes back as the latest; the oldest go first, a key once."""
    monkeypatch.setattr(staging, "_REMEMBERED", 2)
    memory = Remembered()
    memory.keep([(A, kept(1)), (B, kept(1))])
    assert memory.take(A) == kept(1)
    assert memory.take(A) is None

    memory.keep([(A, kept(2))])
    memory.keep([(C, kept(1))])

    assert [memory.take(key) for key in (A, B, C)] == [kept(2), None, kept(1)]


def test_nothing_is_remembered_after_a_doubt() -> None:
    memory = Remembered()
    memory.keep([(A, kept(1))])
    memory.forget()
    assert memory.take(A) is None


def test_what_is_remembered_is_what_is_stored() -> None:
    """A stay in chunks of one message leaves the aggregates of the same stay in one chunk."""
    words = [arrival("book", "booking.confirmed", booking())] + [
        arrival(
            f"pay-{n}",
            "payment.received",
            {"folio": "B-1", "payment": f"p{n}", "amount": n + 1, "currency": "EUR", "tender": "cash"},
        )
        for n in range(5)
    ]
    apart, together = Sandbox(chunk=1), Sandbox()
    for box in (apart, together):
        box.append(*words)
        box.drain()

    states = "SELECT kind, key, sequence, blocked, body FROM state ORDER BY kind, key"
    assert apart.rows(states) == together.rows(states)
    assert apart.rows("SELECT max(version) AS n FROM state") != together.rows("SELECT max(version) AS n FROM state")
