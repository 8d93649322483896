"""The whole embedded way: doors' append, decisions, records, transfers, outcomes; refunds sent to a provider in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.measured import Measured, pragmas, size_of
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from engine import ledger_check
from engine.clock import ManualClock, micros
from engine.hub import Hub
from engine.transport.contract import Arrival, Taken

APPEND = 500  # arrivals of one durable append, as a batch over HTTP or a broker's prefetch brings them
NOW = "2026-07-21T08:00:00+00:00"  # three days before arrival: half of line 1 goes back


def run(path: Path, events: Sequence[bytes]) -> Measured:
    """All events once, timed from the first durable append to the last outcome stored; then counted and checked to the cent."""
    hub = Hub(load(None, {}), str(path), AcceptingProviders(), clock=ManualClock(micros(datetime.fromisoformat(NOW))))
    parts = {"append": 0.0, "decide": 0.0, "effects": 0.0}
    begun = last = time.perf_counter()

    def lap(part: str) -> None:
        nonlocal last
        now = time.perf_counter()
        parts[part] += now - last
        last = now

    for first in range(0, len(events), APPEND):
        arrivals = [
            Arrival(door="bench", body=body, content_type="application/cloudevents+json") for body in events[first : first + APPEND]
        ]
        receipts = hub.intake.append(arrivals)
        assert all(receipt.taken is Taken.ACCEPTED for receipt in receipts)
        lap("append")
        hub.run_lanes()
        lap("decide")
    while True:
        while hub.run_lanes().decided:
            pass
        lap("decide")
        due = hub.effects.due()
        if not due:
            break
        hub.effects.work(due)
        lap("effects")
    seconds = time.perf_counter() - begun
    told, rows = _checked(hub, len(events) // 4)
    hub.close()
    return Measured(inputs=len(events), seconds=seconds, rows=rows, bytes_=size_of(path), pragmas=told, parts=parts)


def _checked(hub: Hub, stays: int) -> tuple[dict[str, str], int]:
    """Everything was decided, every refund went out once, and the book is true; else there is no figure."""
    results = {row["result"]: row["n"] for row in hub.reading.rows("SELECT result, count(*) AS n FROM decision GROUP BY 1")}
    outcomes = {row["name"]: row["n"] for row in hub.reading.rows("SELECT name, count(*) AS n FROM outbox GROUP BY 1")}
    effects = hub.reading.rows("SELECT state, count(*) AS n, sum(minor) AS minor FROM effect GROUP BY 1")
    assert set(results) == {"decided", "forwarded"}, results
    for name in ("booking.accepted", "payment.captured", "cancellation.quoted", "cancellation.confirmed", "refund.executed"):
        assert outcomes.get(name) == stays, (name, outcomes)
    assert [(row["state"], row["n"], row["minor"]) for row in effects] == [("confirmed", stays, stays * 6000)], effects
    book = ledger_check.check(hub.database)
    assert book.true, book.findings
    with hub.database.write() as connection:
        told = pragmas(connection)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
    return told, rows
