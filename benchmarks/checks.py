"""Whether a store holds what it must after a measurement; else there is no figure."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.messages import MERCHANT, PAID, REFUND
from engine import ledger_check
from engine.store.contract import Store
from engine.store.reading import Reading


class Expected(NamedTuple):
    """How many stays came how far; and of what was bad, how much is dead-lettered and how much refused by a rule."""

    booked: int
    paid: int
    quoted: int
    refunded: int
    dead: int = 0
    refused: int = 0

    @classmethod
    def all(cls, stays: int) -> Expected:
        """Every stay was booked, paid, cancelled and refunded."""
        return cls(stays, stays, stays, stays)


def whole(database: Store, expected: Expected) -> None:
    """Everything was decided once, every refund is confirmed to the cent, the book is true, nothing waits for anybody.

    Raises AssertionError."""
    reading = Reading(database)
    results = {row["result"] for row in reading.rows("SELECT DISTINCT result FROM decision")}
    assert results <= {"decided", "forwarded", "refused"}, results
    outcomes = {row["name"]: row["n"] for row in reading.rows("SELECT name, count(*) AS n FROM outbox GROUP BY 1")}
    told = tuple(
        outcomes.get(name, 0)
        for name in ("booking.accepted", "payment.captured", "cancellation.quoted", "cancellation.confirmed", "refund.executed")
    )
    assert told == (expected.booked, expected.paid, expected.quoted, expected.refunded, expected.refunded), outcomes
    refused = sum(count for name, count in outcomes.items() if name.endswith(".refused"))
    assert refused == expected.refused, outcomes
    effects = reading.rows("SELECT state, count(*) AS n, sum(minor) AS minor FROM effect GROUP BY 1")
    settled = [("confirmed", expected.refunded, expected.refunded * REFUND)] if expected.refunded else []
    assert [(row["state"], row["n"], row["minor"]) for row in effects] == settled, effects
    unsettled = reading.unsettled()
    assert unsettled == {**unsettled, "dead_letters": expected.dead, "blocked": 0, "parked": 0}, unsettled
    book = ledger_check.check(database)
    assert book.true, book.findings
    money = [(row.debit, row.credit) for row in ledger_check.balances(reading, name=f"money:ogone/{MERCHANT}")]
    moved = (expected.paid * PAID, expected.refunded * REFUND)
    assert money == ([moved] if any(moved) else []), (money, moved)
