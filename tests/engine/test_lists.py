"""The lists of balance requests and vouchers: what stands in them after every decision, how they are paged, who sees them, and that a
store of the release before has them once it is here."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.loader import load
from config.settings import Configuration
from engine.balances import Asked, Wanted, page
from engine.listed_rows import rows_of
from engine.pages import BadAfter, Page, entries
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
from tests.engine.sandbox import Sandbox, booking
from tests.scenarios.play import FOLDERS, all_scenarios, played, scenario_of

ASKING: Configuration = load(FOLDERS / "asking", {})
BEGINS = "2026-06-01T10:00:00+00:00"
DAY = 86_400
ROWS = "SELECT tenant, folio, kind, item, property, queue, marks, rank FROM listed ORDER BY 1, 2, 3, 4"
EVERYTHING = [path for path in all_scenarios() if path.parent.name in ("balance", "vouchers")]


def asking(**more: Any) -> Sandbox:
    return Sandbox(configuration=ASKING, begins=BEGINS, **more)


def owes(box: Sandbox, folio: str, **more: Any) -> None:
    """A booking in split, whose deposit is paid: the rest is asked for."""
    box.say("booking.confirmed", booking(folio, payment_plan="split", **more))
    paid = {"folio": folio, "payment": f"P-{folio}", "amount": 10_000, "currency": "EUR", "tender": "cash"}
    box.say("payment.received", paid)


def found(box: Sandbox, tenant: str = "azur", after: str = "", limit: int = 100, **wanted: Any) -> Page[Asked]:
    return page(box.hub.reading, box.hub.settled, box.clock.now(), tenant, Wanted(**wanted), after=after, limit=limit)


def folios(box: Sandbox, tenant: str = "azur", **wanted: Any) -> list[str]:
    return [one.folio for one in found(box, tenant, **wanted).entries]


@pytest.fixture
def box() -> Sandbox:
    """Four bookings, in four queues: asked for later, asked, answered, and B-4 cancelled by an operator."""
    made = asking()
    for folio in ("B-1", "B-2", "B-3", "B-4"):
        owes(made, folio)
    made.say("balance.send_now", {"folio": "B-2"}, actor="operator")
    made.say("balance.send_now", {"folio": "B-3"}, actor="operator")
    made.say("balance.choose_method", {"folio": "B-3", "method": "bank_transfer"}, actor="guest")
    made.say("balance.cancel", {"folio": "B-4"}, actor="operator")
    return made


@pytest.mark.both_stores
class TestBalanceRequests:
    """S1-12."""

    def test_s1_12_each_stands_in_its_queue(self, box: Sandbox) -> None:
        """And in no other; without a queue those that are live."""
        by_queue = {queue.value: folios(box, queue=queue) for queue in BalanceStatus}

        assert by_queue == {"pending": ["B-1"], "sent_no_reply": ["B-2"], "sent_replied": ["B-3"], "paid": [], "cancelled": ["B-4"]}
        assert folios(box) == ["B-1", "B-2", "B-3"]
        assert verify(box.database).differences == ()

    def test_s1_12_it_says_what_is_asked(self, box: Sandbox) -> None:
        (one,) = found(box, queue=BalanceStatus.SENT_REPLIED).entries

        assert (one.amount, one.currency, str(one.deadline), one.link) == (10_000, "EUR", "2026-07-10", 1)
        assert [(tried.method, tried.amount, tried.state) for tried in one.attempts] == [("bank_transfer", 10_000, "chosen")]

    def test_s1_12_what_is_paid_leaves_its_queue(self, box: Sandbox) -> None:
        box.say("balance.report_collected", {"folio": "B-3"}, actor="merchant")

        assert (folios(box, queue=BalanceStatus.SENT_REPLIED), folios(box, queue=BalanceStatus.PAID)) == ([], ["B-3"])

    def test_s1_12_overdue_and_suspended_are_said_beside_it(self, box: Sandbox) -> None:
        """Each on its own, and both; a suspension ends with its day, as the property has it."""
        box.say("balance.suspend", {"folio": "B-1", "until": "2026-07-20"}, actor="operator")
        box.pass_time(40 * DAY)  # beyond the deadline of those that were asked

        assert (folios(box, overdue=True), folios(box, overdue=False)) == (["B-2", "B-3"], ["B-1"])
        assert (folios(box, suspended=True), folios(box, suspended=False)) == (["B-1"], ["B-2", "B-3"])
        assert folios(box, overdue=True, suspended=True) == []
        box.until("2026-07-19T22:30:00+00:00")  # half past midnight in Paris
        assert (folios(box, suspended=True), folios(box, suspended=False)) == ([], ["B-2", "B-3", "B-1"])

    def test_the_earliest_deadline_comes_first_page_by_page(self, box: Sandbox) -> None:
        """Each once, however small a page is; no `next` at the end."""
        owes(box, "B-0", lines=[{**booking()["lines"][0], "arrival": "2026-07-20"}])
        pages, after = [], ""
        while True:
            got = found(box, after=after, limit=1)
            pages.append([one.folio for one in got.entries])
            after = got.next
            if not after:
                break

        assert pages == [["B-0"], ["B-1"], ["B-2"], ["B-3"], []]
        assert [one.folio for one in entries(lambda after, size: found(box, after=after, limit=min(size, 2)), 3)] == [
            "B-0",
            "B-1",
            "B-2",
        ]

    @pytest.mark.parametrize("after", ["x", "é", "bm8=", "WyJhIl0="])
    def test_what_is_no_end_of_a_page_is_refused(self, box: Sandbox, after: str) -> None:
        with pytest.raises(BadAfter) as bad:
            found(box, after=after)

        assert (bad.value.code, bad.value.field, bad.value.value) == ("bad_after", "after", after)

    def test_only_one_property_and_one_tenant(self, box: Sandbox) -> None:
        """X-12: the same question of another tenant finds nothing."""
        assert (folios(box, property="camp-azur"), folios(box, property="other")) == (["B-1", "B-2", "B-3"], [])
        assert folios(box, "dunes") == []

    def test_what_owes_nothing_later_costs_no_row(self) -> None:
        """A booking that is paid at once, its payment, a refund: no statement names the table."""
        made = asking()
        made.say("booking.confirmed", booking("B-9"))
        made.say("payment.received", {"folio": "B-9", "payment": "P", "amount": 20_000, "currency": "EUR", "tender": "cash"})

        assert made.rows(ROWS) == []
        assert made.hub.reading.rows("SELECT count(*) AS n FROM decision")[0]["n"] == 2


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
        before.executescript("DROP TABLE listed; PRAGMA user_version = 3;")
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
        connection.execute("DROP TABLE listed")
        connection.execute("UPDATE meta SET value = '2' WHERE name = 'schema'")
    store.close()
    steps: list[str] = []

    assert upgraded(postgres_url, steps.append) == (2, 3)
    again = open_store(postgres_url)
    assert rows(again) == listed
    assert [step.partition(": ")[2] for step in steps][1:] == [
        "balance requests, of every booking that has any", "vouchers, of every booking that has any", "vouchers that are on no booking",
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
