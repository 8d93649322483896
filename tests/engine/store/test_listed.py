"""The table of what people have lists of: it is what the states say, whatever happened; a page of it reads no more than it gives; stores
of the release before have it once they are here, and a move takes it along."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.listed_rows import rows_of
from engine.moving import move
from engine.staging import SHAPES
from engine.store import listing
from engine.store.contract import Connection, Store
from engine.store.listed import ListKind, Mark
from engine.store.opening import open_store
from engine.store.postgresql.standing import upgraded
from engine.store.reading import Reading
from engine.store.sqlite.database import Database
from engine.verify import verify
from schemas.balance_request import BalanceStatus
from schemas.voucher import VoucherStatus
from tests.engine.sandbox import MASTER
from tests.engine.test_lists import ROWS, asking, folios, owes
from tests.scenarios.play import all_scenarios, played, scenario_of

EVERYTHING = [path for path in all_scenarios() if path.parent.name in ("balance", "vouchers")]


BEFORE = "DROP TABLE listed; DROP INDEX decision_day; DROP INDEX transfer_held; DROP INDEX notice_bounced;"
"""What the release before did not have."""


def rows(store: Store) -> list[tuple[Any, ...]]:
    """The table."""
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(ROWS).fetchall()]


def said(store: Store) -> list[tuple[Any, ...]]:
    """What the states make of it."""
    with store.read() as connection:
        found = connection.execute("SELECT tenant, kind, body FROM state WHERE body IS NOT NULL").fetchall()
    decoded = ((tenant, msgspec.json.decode(bytes(body), type=SHAPES[kind][1])) for tenant, kind, body in found)
    return sorted(tuple(row) for tenant, state in decoded for row in rows_of(tenant, state))


@pytest.mark.sqlite
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in EVERYTHING])
def test_s0_18_s1_12_the_lists_are_what_the_states_say(path: Path, tmp_path: Path) -> None:
    """After everything that can happen to a request or a voucher; and a file of the release before has the same once it is here."""
    file = str(tmp_path / "hub.sqlite")
    played(path, scenario_of(path), store=file)
    store = Database(file, writer=False)
    listed = rows(store)
    assert listed == said(store)
    store.close()

    with closing(sqlite3.connect(file)) as before:
        before.executescript(f"{BEFORE} PRAGMA user_version = 3;")
    again = Database(file)
    assert rows(again) == listed
    again.close()


@pytest.mark.sampled
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in EVERYTHING])
def test_s0_18_s1_12_a_database_of_the_release_before_is_filled(path: Path, postgres_url: str) -> None:
    """The same in a database; nothing is at work meanwhile, since the release before would not keep it up."""
    played(path, scenario_of(path), store=postgres_url)
    store = open_store(postgres_url)
    listed = rows(store)
    assert listed == said(store)
    with store.write() as connection:
        for statement in BEFORE.split(";")[:-1]:
            connection.execute(statement)
        connection.execute("UPDATE meta SET value = '2' WHERE name = 'schema'")
    store.close()
    steps: list[str] = []

    assert upgraded(postgres_url, steps.append) == (2, 3)
    again = open_store(postgres_url)
    assert rows(again) == listed
    assert [step.partition(": ")[2] for step in steps][1:] == [
        "balance requests, of every booking that has any", "vouchers, of every booking that has any", "vouchers that are on no booking",
        "the journal of a day, by tenant and instant", "what stands on vouchers, and receipts without a home", "notices that came back",
    ]  # fmt: skip
    again.close()


def test_the_scenarios_fill_every_queue_and_mark(tmp_path: Path) -> None:
    """What the two tests above claim to cover is there."""
    seen = set()
    for number, path in enumerate(EVERYTHING):
        played(path, scenario_of(path), store=str(tmp_path / f"{number}.sqlite"))
        store = Database(str(tmp_path / f"{number}.sqlite"), writer=False)
        seen |= {(row[2], row[5], row[6]) for row in rows(store)}
        store.close()

    assert {queue for kind, queue, _ in seen if kind == ListKind.BALANCE} == set(BalanceStatus)
    assert {queue for kind, queue, _ in seen if kind == ListKind.VOUCHER} >= {"", *VoucherStatus} - {
        VoucherStatus.SETTLING,
        VoucherStatus.AWAITING_TOP_UP,
    }
    assert {mark for _, _, marks in seen for mark in marks.split()} == set(Mark)


def test_a_move_takes_the_lists_along(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and all; what is decided there goes on with them."""
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", MASTER.hex())
    made = asking(store=str(tmp_path / "hub.sqlite"))
    owes(made, "B-1")
    owes(made, "B-2")
    listed = rows(made.database)
    made.hub.close()
    (tmp_path / "hub.sqlite.key").write_text(MASTER.hex())

    move(str(tmp_path / "hub.sqlite"), postgres_url)
    there = asking(store=postgres_url)
    there.number = 100

    assert len(listed) == 2
    assert rows(there.database) == listed
    there.say("balance.send_now", {"folio": "B-2"}, actor="operator")
    assert folios(there, queue=BalanceStatus.SENT_NO_REPLY) == ["B-2"]
    assert verify(there.database).differences == ()
    there.hub.close()


@pytest.mark.sqlite
@pytest.mark.parametrize("column", ["property", "queue", "marks", "rank"])
def test_a_row_that_is_changed_behind_the_engine_is_seen(tmp_path: Path, column: str) -> None:
    """And one that is gone: `verify` makes the table anew from the log."""
    made = asking(store=str(tmp_path / "hub.sqlite"))
    owes(made, "B-1")
    with made.database.write() as connection:
        connection.execute(f"UPDATE listed SET {column} = {column} || 'x'")
    changed = verify(made.database).differences
    with made.database.write() as connection:
        connection.execute("DELETE FROM listed")
    gone = verify(made.database).differences
    made.hub.close()

    assert [(one.table, one.field) for one in changed] == [("listed", column)]
    assert [(one.table, one.field, one.stored) for one in gone] == [("listed", "row", "not there")]


STEPS = 5_000
"""Instructions of SQLite's machine for a page of 100; a list that is read whole takes millions."""


def crowded(link: Connection, many: int) -> None:
    """So many requests that are paid, 200 that are asked for, a tenth of these overdue; as many of another tenant."""
    for tenant in ("azur", "dunes"):
        for queue, count, marks in (("paid", many, ""), ("pending", 180, ""), ("pending", 20, "overdue")):
            link.execute(
                "INSERT INTO listed WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " SELECT CAST(? AS TEXT), CAST(? AS TEXT) || i, 'balance', 'r' || i, 'camp-' || (i % 7), CAST(? AS TEXT),"
                " CAST(? AS TEXT), CAST(20260000 + i % 9999 AS TEXT) FROM n",
                (count, tenant, f"{queue}{marks}", queue, marks),
            )


def asks(reading: Reading) -> list[int]:
    """How many are found by each question that a door may ask."""
    every = [queue.value for queue in BalanceStatus]
    return [
        len(listing.page(reading, "azur", ListKind.BALANCE, queues=queues, marked=marked, property_=property_, limit=100))
        for queues, marked, property_ in (
            (["pending"], [""], ""), (["pending"], ["overdue"], ""), (["pending"], ["suspended"], ""), (every, ["", "overdue"], ""),
            (["paid"], [""], "camp-3"), (["sent_replied"], [""], "camp-3"),
        )
    ]  # fmt: skip


@pytest.mark.sqlite
def test_a_page_reads_no_more_than_it_gives(tmp_path: Path) -> None:
    """Of 100,000 and 200 that are in the queue, as of 1,000: counted in steps of SQLite's machine, for each question."""
    store = Database(str(tmp_path / "hub.sqlite"))
    with store.write() as connection:
        crowded(connection, 100_000)
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection.set_progress_handler(step, 1)
        found = asks(Reading(store))
        connection.set_progress_handler(None, 0)
    store.close()

    assert found == [100, 20, 0, 100, 100, 0]
    assert steps < STEPS * len(found)


class Explaining(Reading):
    """Has each question explained as it is asked: `reads` are the server's own counts of what its searches gave, and threw away."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.store = store
        self.reads: list[tuple[str, int, int]] = []

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self.store.read() as connection:
            plan = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", tuple(parameters)).fetchone()[0]
        self._note(plan[0]["Plan"])
        return super().rows(statement, parameters)

    def _note(self, node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            self.reads.append((node.get("Index Name", ""), node["Actual Rows"], node.get("Rows Removed by Filter", 0)))
        for inner in node.get("Plans", ()):
            self._note(inner)


@pytest.mark.parametrize("known", [False, True], ids=["a young table", "a table that is known"])
def test_a_page_reads_no_more_than_it_gives_in_a_database(postgres_url: str, known: bool) -> None:
    """By the index that is made for it, whatever the server believes of the table."""
    store = open_store(postgres_url)
    with store.write() as link:
        crowded(link, 100_000)
        if known:
            link.execute("ANALYZE listed")
    reading = Explaining(store)
    found = asks(reading)
    store.close()

    assert found == [100, 20, 0, 100, 100, 0]
    assert {index for index, _, _ in reading.reads} == {"listed_queue", "listed_property"}
    assert max(given for _, given, _ in reading.reads) == 100
    assert sum(thrown for _, _, thrown in reading.reads) == 0
