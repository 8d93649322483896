"""Nothing that a running hub does, a door is asked or an operator says often may take longer because the store is larger.

A day is played on a store that notes every statement; each is then planned anew, and a plan that reads a growing table from one end to
the other, or all that a tenant, a merchant or a lane has of it, is shown. No function of `engine.store` and `engine.store.sqlite` may
be left out.
"""

from __future__ import annotations

import ast
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.gateway.desk import Desk
from console.gateway.folios import _outcomes
from console.gateway.measured import measure
from console.gateway.messages import _became
from engine import balances, vouchers
from engine.explain import explain
from engine.housekeeping import Housekeeping
from engine.journal import journal_of
from engine.keys import DoorKeys
from engine.ledger_check import balances as accounts
from engine.standing import standing
from engine.store import listing
from engine.store.contract import Fenced, Store
from engine.store.history import History
from engine.store.notices import Notice
from engine.store.opening import effects_of, notices_of
from engine.store.rows import Key, SwitchRow
from engine.store.sqlite import database
from engine.store.sqlite.database import Database
from engine.store.switches import Switches
from engine.transport.contract import Arrival
from tests.engine.sandbox import Sandbox, booking

ROOM = Path(database.__file__).parent
ROOMS = (ROOM.parent, ROOM)
WHOLE = {
    "checking.py accounts", "checking.py folio_sums", "checking.py folios", "checking.py refunds_shown", "checking.py totals",
    "checking.py vouchers",
}  # fmt: skip
"""Checks of the whole book read all of it; `accounts` of one folio does not, and is met."""
APART = {
    "database.py", "upgrading.py", "log.py", "replaying.py", "former.py", "copying.py", "moved.py", "status.py", "checkpoints.py",
}  # fmt: skip
"""Rooms that are not held to be met: opening, pragmas, upgrades, copies and moves, and verification, which is for the whole store."""
SHARED = {"reading.py asked", "reading.py got", "reading.py unpublished_in", "shelf.py bound"}
"""What is asked only of a store that several processes have."""
SMALL = {
    "lane", "meta", "inbox_slice", "payout_switch", "policy", "configuration", "door_key", "parked", "blocked", "payment_query",
    "sqlite_master", "CONSTANT", "held", "owner", "side", "(subquery",
}  # fmt: skip
"""What may be read whole: it does not grow with what was decided, or it is what waits."""
WAITING = {
    "internal_waiting", "internal_unheard", "effect_open", "effect_person", "notice_open", "notice_bounced", "outbox_waiting",
    "dead_letter_open", "state_blocked",
}  # fmt: skip
"""Indexes of what waits for somebody: they are as large as that."""
SEARCHES = {
    "history.py intake": "SELECT * FROM intake WHERE message = ? ORDER BY seq LIMIT 20",
    "history.py intake_named": "SELECT * FROM intake WHERE id = ? ORDER BY seq LIMIT 20",
    "listing.py effects": "ORDER BY rowid LIMIT ?",
    "listing.py dead_letters": "FROM dead_letter WHERE 1 = 1 AND",
    "listing.py notices": "FROM notice WHERE ? IN",
    "journal.py stood": "WHERE (substr(debit, 1, 9) IN ('vouchers:', 'suspense:') OR",
}
"""What an operator asks for through everything: a sender's own id, all final requests, all dead letters, all notices; an accountant,
for what stands on vouchers and receipts without a home: all that was ever booked on these, by an index of nothing else."""
_STEP = re.compile(r"(SCAN|SEARCH) (\S+)(?: ROW)?(?: USING (?:COVERING )?(?:INDEX (\S+)|(?:INTEGER )?PRIMARY KEY))?(?: \((.*)\))?")
_LOOSE = re.compile(r"(?:tenant|merchant|kind|lane|origin)=\?(?: AND (?:tenant|merchant|kind|lane|origin)=\?)*")
_LAST = re.compile(r'max\("?offset"?\)')
"""The last of a lane, which lies at the end of its index; in quotes for an engine whose own word it is."""
_SILENT = {"when": {"endpoint": "maintenance", "call": 2}, "answer": "silence", "act": "never"}


class Noting:
    """A connection that remembers what it was told, and by which functions of the room."""

    def __init__(self, connection: Any, noted: dict[str, set[str]]) -> None:
        self._connection, self._noted = connection, noted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *arguments: Any) -> Any:
        self._note(statement)
        return self._connection.execute(statement, *arguments)

    def executemany(self, statement: str, *arguments: Any) -> Any:
        self._note(statement)
        return self._connection.executemany(statement, *arguments)

    def _note(self, statement: str) -> None:
        by = self._noted.setdefault(statement, set())
        frame = sys._getframe(2)
        while frame is not None:
            if Path(frame.f_code.co_filename).parent in ROOMS:
                by.add(f"{Path(frame.f_code.co_filename).name} {frame.f_code.co_name}")
            frame = frame.f_back


class Watched(Database):
    """Notes every statement that is run."""

    def __init__(self, path: str) -> None:
        self.noted: dict[str, set[str]] = {}
        super().__init__(path)

    @contextmanager
    def write(self) -> Iterator[Any]:
        with super().write() as connection:
            yield Noting(connection, self.noted)

    @contextmanager
    def read(self) -> Iterator[Any]:
        with super().read() as connection:
            yield Noting(connection, self.noted)


def own(store: Store, statement: str) -> Any:
    """The first column of the first row, not noted."""
    with Database.read(store) if isinstance(store, Database) else store.read() as connection:
        return connection.execute(statement).fetchone()[0]


def a_day(box: Sandbox) -> None:
    """A little of everything that is decided and sent."""
    box.say("payouts.stop", {"reason": "counting"}, actor="operator")
    box.say("payouts.start", {"reason": "counted"}, actor="operator")
    payid = box.paid("B-1", order="O-1")
    box.cancel("B-1")
    box.notified(payid)
    box.paid("B-2", order="O-2")
    box.cancel("B-2")  # the provider is silent, and does nothing
    box.pass_time(90_000)
    box.say("booking.confirmed", booking("B-4", references=["R-4"], guest={"person": "p-4", "name": "Zoé Exemple"}))
    box.say("booking.confirmed", booking("B-5"), id_="m-1")  # a known identity with another content
    cash = {"payment": "P-9", "amount": 100, "currency": "EUR", "tender": "cash"}
    box.say("payment.received", {"references": [{"namespace": "pms:thais", "value": "R-9"}], **cash}, id_="early")
    box.say("booking.confirmed", booking("B-9", references=["R-9"]))
    box.append(Arrival(door="test", body=b"no message", attributes={"tenant": "azur"}))
    box.drain()
    box.say("person.forget", {"subject": "p-4"}, actor="operator")
    used = {"number": "PMS-1", "currency": "EUR"}
    box.say("voucher.register", {**used, "value": 5_000, "property": "camp-azur"}, actor="merchant")
    box.say("booking.requested", booking("B-6"))
    box.say("voucher.enter", {"folio": "B-6", **used, "amount": 4_000}, actor="guest")
    doubtful = own(box.database, "SELECT id FROM effect WHERE folio = 'B-2'")
    box.say("effect.settle", {"subject": doubtful, "result": "refused", "reason": "seen"}, actor="operator")
    letter = own(box.database, "SELECT id FROM dead_letter WHERE why = 'undecodable'")
    box.say("dead_letter.discard", {"subject": letter}, actor="operator")
    box.say("notice.resend", {"folio": "B-1", "notice": "n"}, actor="operator")


def what_is_seldom(box: Sandbox) -> None:
    """What a day like that does not come across."""
    store, shelf, now = box.hub.store, box.hub.shelf, box.clock.now()
    nobody_s = Notice("n", "azur", "B-1", 0, "k", 1, "guest", "en", "p", b"", now, "", "", now, "planned", "", "", 0, 0, 0, 0)
    store.try_alone(0, None)
    with store.chunk(store.claim()) as chunk:
        chunk.blocked(Key("azur", "folio", "B-1"))
        chunk.parked([Key("azur", "folio", "B-1"), Key("azur", "reference", "R-1")])
    store.release()
    shelf.owner_of("nobody")
    shelf.keep_master_mark(shelf.master_mark() or b"")
    shelf.configurations()
    shelf.destroy_keys("dead-letters/", "dead-letters/2000-01")
    effects = effects_of(box.database)
    with effects.transaction() as transaction:
        transaction.spent("azur", "camp-azur", now - 3_600_000_000, now)
        transaction.folio("azur", "B-1")
    effects.new_generation([], "restored", 1, now, lambda _: pytest.fail("nothing is under way"))
    notices = notices_of(box.database)
    with notices.transaction() as sender:
        sender.due(now, 1)
        with pytest.raises(Fenced):
            sender.write(nobody_s, nobody_s, ())
    notices.next_due()
    notices.waiting()
    notices.contact("azur", "B-1")
    notices.folio("azur", "B-1")
    notices.new_generation(now)
    Housekeeping(box.hub).once()
    keys = DoorKeys(box.database)
    key, text = keys.add("azur", "read")
    keys.check(text)
    keys.list()
    keys.revoke(key.id)
    Switches(box.database).set(SwitchRow("azur", 0, "operator:test", "", now))
    Switches(box.database).all()
    box.database.probe()


def what_is_asked(box: Sandbox) -> None:
    """Doors and operators."""
    desk, reading = Desk(box.hub, None), box.hub.reading
    measure(desk)
    reading.log_behind()
    reading.internal_behind()
    _outcomes(desk, "azur", 0, 100)
    for id_ in ("m-1", "early", "nobody"):
        _became(desk, "azur", "pms.thais", id_)
    standing(box.hub, "azur", "B-1")
    box.hub.on_answer("00000000-0000-5000-8000-000000000000", lambda _: None)
    reading.published([0, *(row.seq for row in reading.unpublished(10))])
    reading.next_timer()
    history, effect = History(reading), own(box.database, "SELECT id FROM effect")
    message = own(box.database, "SELECT message FROM intake")
    for subject in ("B-1", "B-2", "pms:thais=R-4", effect, "m-3", message.hex()):
        explain(history, box.hub.vault, subject)
    history.intake(b"of nobody")
    list(accounts(reading, folio="B-1"))
    list(accounts(reading, folio="B-1", tenant="azur"))
    for options in ({}, {"state": "unknown"}, {"state": "needs_person"}, {"state": "confirmed"}, {"folio": "B-1"}, {"every": True}):
        listing.effects(reading, **options)
    listing.approvals(reading)
    listing.payouts_waiting(reading, "azur")
    listing.histories_waiting(reading)
    for options in ({}, {"state": "sent"}, {"folio": "B-1"}, {"every": True}):
        listing.notices(reading, **options)
    listing.last_notice(reading, "B-1", "refund_executed")
    reading.transfers_of(reading.decisions_of(Key("azur", "folio", "B-1")))
    for property_ in ("", "camp-azur"):
        balances.page(reading, box.hub.settled, box.clock.now(), "azur", balances.Wanted(property=property_), limit=100)
        vouchers.page(reading, "azur", vouchers.Wanted(property=property_), limit=100)
    listing.folio_of_request(reading, "azur", "nobody")
    listing.bodies(reading, [Key("azur", "folio", "B-1")])
    listing.dead_letters(reading)
    listing.dead_letters(reading, tenant="azur", every=True)
    listing.dead_letter(reading, "nobody")
    last = box.one("SELECT max(seq) AS seq FROM transfer_row")["seq"]
    for more in ({}, {"property_": "camp-azur"}, {"after": last}):
        journal_of(reading, box.hub.settled, "azur", f"{box.now():%Y-%m-%d}", **more)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A store on which all of it was played."""
    made = Watched(str(tmp_path_factory.mktemp("plans") / "hub.sqlite"))
    box = Sandbox(_SILENT, store=made)
    for play in (a_day, what_is_seldom, what_is_asked):
        play(box)
    yield made
    box.hub.close()


def plan_of(store: Database, statement: str) -> list[str]:
    """How SQLite goes about it, knowing nothing of the values."""
    with Database.read(store) as connection:
        known = re.search(r"uses (\d+)", _refusal(lambda: connection.execute(f"EXPLAIN {statement}", [None] * 9_999)))
        values = [None] * (int(known[1]) if known else 0)
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def _refusal(call: Callable[[], object]) -> str:
    with pytest.raises(sqlite3.ProgrammingError) as refused:
        call()
    return str(refused.value)


def grows(plan: list[str], statement: str) -> list[str]:
    """Steps of a plan that take longer the larger the store is."""
    found = []
    for step in plan:
        match = _STEP.fullmatch(step)
        if match is None:
            continue
        how, table, index, terms = match.groups()
        if (
            table in SMALL
            or table.startswith(("(subquery", "part_"))  # a part of a list has no more than was asked for
            or index in WAITING
            or (terms == "lane=?" and _LAST.search(statement) is not None)
        ):
            continue
        if how == "SCAN" or (terms is not None and _LOOSE.fullmatch(terms)):
            found.append(step)
    return found


def test_nothing_grows_with_the_store(watched: Watched) -> None:
    """Every statement is a search for what it is about, but for searches that an operator asks for."""
    noted = {statement: by for statement, by in watched.noted.items() if re.match("SELECT|INSERT|UPDATE|DELETE|WITH", statement)}

    wrong = {
        statement: found
        for statement, by in noted.items()
        if not any(who in by and text in statement for who, text in SEARCHES.items())
        and (found := grows(plan_of(watched, statement), statement))
    }
    assert wrong == {}
    assert len(noted) > 100


def test_every_function_was_met(watched: Watched) -> None:
    """Whoever says anything to the store has said it on this day."""
    said = {
        f"{file.name} {function.name}"
        for room in ROOMS
        for file in room.glob("*.py")
        if file.name not in APART
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and speaks(function)
    }
    met = {who for by in watched.noted.values() for who in by}

    assert said - met - WHOLE - SHARED - {"statements.py insert"} == set()
    assert len(said) > 70


def speaks(function: ast.FunctionDef) -> bool:
    """Whether it says something to the store itself."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("execute", "executemany", "rows", "each") for node in ast.walk(function)
    )


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELECT state, count(*) FROM effect GROUP BY state", id="all of a table"),
        pytest.param("SELECT * FROM effect WHERE tenant = ?", id="all of a tenant"),
        pytest.param("SELECT count(*) FROM effect WHERE state = 'planned'", id="an index that is not said in its own words"),
        pytest.param(
            "SELECT 1 FROM effect AS one WHERE EXISTS (SELECT 1 FROM intake WHERE intake.id = one.id)", id="under other names"
        ),
        pytest.param("SELECT count(*) FROM intake JOIN lane USING (lane) WHERE offset >= next_offset", id="the wrong way round"),
        pytest.param("SELECT * FROM decision WHERE seq IN (?) OR parent IN (?)", id="either of two"),
        pytest.param("DELETE FROM subject_key WHERE subject < ?", id="the second column of a key"),
    ],
)
def test_what_grows_is_seen(watched: Watched, statement: str) -> None:
    assert grows(plan_of(watched, statement), statement)
