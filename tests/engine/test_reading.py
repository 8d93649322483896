"""What doors read for every caller must not grow with the store."""

from __future__ import annotations

import re

import msgspec
import pytest

from config.loader import load
from engine.store.reading import Reading
from engine.store.sqlite.database import Database
from tests.engine.sandbox import Sandbox, arrival, booking


class Watched(Database):
    """Remembers every statement that was run."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.ran: list[str] = []
        self._writer.set_trace_callback(self.ran.append)


@pytest.mark.parametrize("method", ["answer", "fates"])
def test_an_answer_is_found_by_indexes(method: str) -> None:
    """Every statement of these is a search: none scans decisions, outcomes or state."""
    database = Watched()
    with database.write() as connection:
        connection.execute("INSERT INTO inbox_slice VALUES (1)")
        connection.execute(
            "CREATE TABLE inbox_1 (message BLOB PRIMARY KEY, fingerprint BLOB, lane INTEGER, offset INTEGER) WITHOUT ROWID"
        )
        connection.execute("INSERT INTO inbox_1 VALUES (x'01', x'', 0, 0)")
        values = "0, 1, 'intake', 0, 0, x'01', 'azur', 'reference', 'a' || char(31) || 'b', 'booking.changed', 'parked', 0, 0, 0, 1"
        connection.execute(f"INSERT INTO decision VALUES (1, {values}, '', '', x'7b7d')")
    database.ran.clear()
    getattr(Reading(database), method)(b"\x01")
    statements = [one for one in database.ran if one.startswith("SELECT")]

    assert len(statements) >= 3
    for statement in statements:
        plan = [row[3] for row in database._writer.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [step for step in plan if re.match(r"SCAN (decision|outbox_row|state|intake)", step)], statement


@pytest.mark.parametrize("piece", [1, 2, 5, 10_000])
@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_a_quiet_tenants_stream_passes_over_the_others(piece: int, limit: int) -> None:
    """Piece by piece, however few outcomes are its own: each once and in order, until the end stands still."""
    configuration = load(None)
    dunes = msgspec.structs.replace(configuration.tenants["azur"], tenant="dunes")
    box = Sandbox(configuration=msgspec.structs.replace(configuration, tenants={**configuration.tenants, "dunes": dunes}))
    for number in range(3):
        for folio in range(4):
            box.say("booking.confirmed", booking(f"B-{number}-{folio}"))
        said = arrival(f"d-{number}", "payouts.stop", {"reason": "counting"}, actor="operator")
        box.append(msgspec.structs.replace(said, attributes={**said.attributes, "tenant": "dunes"}))
        box.drain()
    reading, found, after, asked = box.hub.reading, [], 0, 0
    while True:
        rows, then = reading.stream_of("dunes", after, limit, piece)
        assert len(rows) <= limit
        found += rows
        asked += 1
        if then == after:
            break
        assert then > after
        after = then

    assert [row.name for row in found] == ["payouts.stopped"] * 3
    assert found == reading.outbox_of("dunes", 0, 1000)
    assert asked >= 15 // (piece + 1)
    assert reading.stream_of("nobody", after, limit, piece) == ([], after)
