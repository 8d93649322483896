"""`verify` agrees with every honest store, whatever happened in it, and finds each single change that somebody plants."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.sqlite.database import Database
from engine.verify import Verified, verify
from tests.engine.campsite import Campsite, arrival, asked, booking, configuration, eventful, payment, word


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store in which everything happened, under two configurations, with a defect in between."""
    path = tmp_path_factory.mktemp("verify") / "summer.sqlite"
    camp = Campsite(path, configuration("camp-azur/2", approval_above=15_000))
    eventful(camp)
    camp.close()
    _defect(path)
    camp = Campsite(path, configuration("camp-azur/3", refund_due_days=3), at="2026-07-26T12:00:00+00:00")
    camp.send(booking("L", arrival="2026-07-29"))
    camp.send(payment("L", "3012"))
    camp.send(asked("L", confirm=True))
    camp.close()
    return path


def _defect(path: Path) -> None:
    """A process that dies with the same message again and again, also when that is alone; what queues behind it, and its replay."""
    camp = Campsite(path, configuration("camp-azur/2", approval_above=15_000), at="2026-07-25T13:00:00+00:00")
    camp.send(booking("K", arrival="2026-07-29"))
    camp.close()
    deaths = 0
    while deaths < 5:
        camp = Campsite(path, configuration("camp-azur/2", approval_above=15_000), at="2026-07-25T13:00:00+00:00")
        if not deaths:
            camp.hub.intake.append([arrival(asked("K", confirm=True))])
        elif deaths == 4:
            camp.hub.store.try_alone(0, camp.hub.store.claim().positions[0])
        deaths += 1
        camp.hub.database.close()  # no word of goodbye
    camp = Campsite(path, configuration("camp-azur/2", approval_above=15_000), at="2026-07-25T13:00:00+00:00")
    camp.settle()
    camp.send(payment("K", "3011"))
    letter = camp.one("SELECT id FROM dead_letter WHERE why = 'defect'")
    camp.send(word("again", "dead_letter.replay", letter))
    camp.close()


def rebuilt(path: Path, *, batch: int = 500) -> Verified:
    database = Database(str(path), writer=False)
    try:
        return verify(database, batch=batch)
    finally:
        database.close()


@pytest.fixture
def copy(summer: Path, tmp_path: Path) -> Path:
    """A store of one's own to plant something in."""
    with closing(sqlite3.connect(summer)) as whole, closing(sqlite3.connect(tmp_path / "store.sqlite")) as made:
        whole.backup(made)
    return tmp_path / "store.sqlite"


def plant(path: Path, *statements: str) -> None:
    """Change the file behind the engine's back, its guards taken away."""
    connection = sqlite3.connect(path)
    connection.create_function("swap", 3, lambda body, old, new: bytes(body).replace(old.encode(), new.encode()))
    connection.executescript("DROP TRIGGER transfer_is_immutable; DROP TRIGGER transfer_stays;")
    for statement in statements:
        assert connection.execute(statement).rowcount > 0, statement
    connection.commit()
    connection.close()


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_an_honest_store_agrees(summer: Path, batch: int) -> None:
    """Every kind of decision is in it: repeats, conflicts, parked, refused, timers, replies, people's words, forgotten people, a
    defect with its replay, three policies. Whatever the size of a batch."""
    found = rebuilt(summer, batch=batch)

    assert found.differences == ()
    assert found.agrees
    assert found.decisions > 60
    assert {table for table, rows in found.compared.items() if not rows} <= {"blocked", "notice", "contact", "listed"}


def test_the_summer_is_eventful(summer: Path) -> None:
    """What the test above claims to cover is there."""
    connection = sqlite3.connect(summer)
    results = {row[0] for row in connection.execute("SELECT DISTINCT result FROM decision")}
    origins = {row[0] for row in connection.execute("SELECT DISTINCT origin FROM decision")}
    shown = connection.execute("SELECT count(*) FROM decision WHERE instr(record, '\"effects\"') > 0").fetchone()[0]
    configurations = connection.execute("SELECT count(DISTINCT configuration) FROM decision").fetchone()[0]
    connection.close()

    assert results >= {"decided", "refused", "parked", "duplicate", "conflict", "forwarded", "queued", "defect"}
    assert origins == {"intake", "internal", "timer", "inline"}
    assert shown >= 3, "decisions that were shown effects"
    assert configurations == 2


def test_a_running_hub_goes_on_meanwhile(tmp_path: Path) -> None:
    """One consistent view, from another connection, while the hub has the file; in memory too."""
    camp = Campsite(tmp_path / "live.sqlite")
    camp.send(booking("A"))
    assert rebuilt(tmp_path / "live.sqlite").agrees
    camp.send(payment("A", "3001"))
    assert rebuilt(tmp_path / "live.sqlite").decisions == 3
    camp.close()

    inside = Campsite()
    inside.send(booking("A"))
    assert verify(inside.hub.database).agrees
    inside.close()


def test_what_waits_is_not_missing(tmp_path: Path) -> None:
    """Messages that were acknowledged and not yet decided are no difference."""
    camp = Campsite(tmp_path / "waiting.sqlite")
    camp.hub.intake.append([arrival(booking("A"))])

    found = rebuilt(tmp_path / "waiting.sqlite")
    assert found.agrees
    assert found.decisions == 0
    camp.close()


PLANTED = {
    "a cent in a state": (
        "UPDATE state SET body = swap(body, '\"kept\":6000', '\"kept\":6001') WHERE kind = 'folio' AND key = 'A'",
        ("state", "body.lines"),
    ),
    "a sequence": ("UPDATE state SET sequence = sequence + 1 WHERE key = 'B'", ("state", "sequence")),
    "a lost state": ("DELETE FROM state WHERE kind = 'folio' AND key = 'C'", ("state", "row")),
    "a cent in a transfer": (
        "UPDATE transfer_row SET minor = minor + 1 WHERE seq = (SELECT seq FROM transfer LIMIT 1 OFFSET 4)",
        ("transfer", "minor"),
    ),
    "a lost transfer": (
        "DELETE FROM transfer_row WHERE seq = (SELECT max(seq) FROM transfer WHERE entry = 'refund_executed')",
        ("transfer", "row"),
    ),
    "another account": (
        "UPDATE transfer_row SET credit = 'guest:B' WHERE seq = (SELECT seq FROM transfer LIMIT 1 OFFSET 2)",
        ("transfer", "credit"),
    ),
    "a word in an outcome": (
        "UPDATE outbox_row SET body = swap(body, '10000', '10001') WHERE name = 'refund.decided'",
        ("outbox", "body"),
    ),
    "a lost outcome": ("DELETE FROM outbox_row WHERE seq = (SELECT seq FROM outbox LIMIT 1 OFFSET 8)", ("outbox", "row")),
    "a record": ("UPDATE decision SET record = swap(record, 'EUR', 'USD') WHERE seq = 2", ("decision", "record")),
    "a result": ("UPDATE decision SET result = 'stale' WHERE seq = 2", ("decision", "result")),
    "a lost decision": ("DELETE FROM decision WHERE name = 'booking.confirmed' AND key = 'C'", ("intake", "decision")),
    "a duplicate that was none": ("UPDATE decision SET result = 'decided' WHERE result = 'duplicate'", ("decision", "result")),
    "a message": ("UPDATE intake SET body = swap(body, '12000', '12001') WHERE id = 'booking-B'", ("decision", "record")),
    "a timer": ("UPDATE timer SET due = due + 1", ("timer", "due")),
    "a lost timer": ("DELETE FROM timer", ("timer", "row")),
    "what is parked": ("DELETE FROM parked", ("parked", "row")),
    "a captured sum": ("UPDATE payment_total SET captured = captured + 1 WHERE folio = 'A'", ("payment_total", "captured")),
    "a refund's number": ("UPDATE refund_part SET number = 9 WHERE folio = 'A'", ("refund_part", "row")),
    "a second refund": (
        "INSERT INTO effect SELECT 'x', tenant, folio, lane, 'A/P-A/2', kind, provider, merchant, payment, reference, order_ref, minor,"
        " currency, refund, property, last, needs_approval, state, reason, decision, created_at, correlation, traceparent,"
        " next_at, attempts, queries, fence, lease_until, sent_at, key_until, record, request, reply FROM effect WHERE folio = 'A'",
        ("effect", "row"),
    ),
    "a refund's amount": ("UPDATE effect SET minor = minor + 1 WHERE folio = 'A'", ("effect", "minor")),
    "a closed dead letter": ("UPDATE dead_letter SET status = 'open' WHERE why = 'defect'", ("dead_letter", "status")),
    "a position": ("UPDATE lane SET next_offset = next_offset - 1", ("lane", "next_offset")),
    "a policy of the past": (
        "UPDATE configuration SET body = swap(body, '\"approval_above\":15000', '\"approval_above\":99000') WHERE id = 1",
        ("decision", "record"),
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_change_is_found(copy: Path, what: str) -> None:
    """One row changed behind the engine's back, and the first difference names its table and field."""
    statement, place = PLANTED[what]
    plant(copy, statement)
    found = rebuilt(copy)

    assert not found.agrees
    assert place in {(one.table, one.field) for one in found.differences}, found.differences


def test_a_message_that_was_passed_over(copy: Path) -> None:
    """Acknowledged, behind the position, decided by nobody."""
    plant(copy, "DELETE FROM decision WHERE seq = (SELECT max(seq) FROM decision WHERE origin = 'intake')")

    assert ("intake", "decision") in {(one.table, one.field) for one in rebuilt(copy).differences}


def test_differences_are_bounded(copy: Path) -> None:
    """The first twenty are told, not all of them."""
    plant(copy, "UPDATE outbox_row SET sequence = 0")

    assert len(rebuilt(copy).differences) == 20


def test_forgotten_inbox_slices_are_no_difference(copy: Path) -> None:
    """Identities are dropped after some weeks, a slice at a time; the log is not."""
    connection = sqlite3.connect(copy)
    for (slice_,) in connection.execute("SELECT slice FROM inbox_slice").fetchall():
        connection.execute(f"DROP TABLE inbox_{slice_}")
    connection.execute("DELETE FROM inbox_slice")
    connection.commit()
    connection.close()

    assert rebuilt(copy).agrees


def test_what_comes_again_after_its_identity_was_dropped_was_decided_again() -> None:
    """Its business keys protected it; the replay sees the second decision as the store did, not a repeat (X-1)."""
    camp = Campsite(":memory:")
    for _ in range(3):
        camp.send(booking("A"))
    camp.until("2026-07-01T08:00:00+00:00")
    camp.hub.store.drop_slices(camp.clock.now() - 35 * 86_400 * 1_000_000)
    for _ in range(2):
        camp.send(booking("A"))

    results = camp.hub.reading.rows("SELECT result FROM decision WHERE origin = 'intake' AND parent = 0 ORDER BY seq")
    assert [row["result"] for row in results] == ["decided", "duplicate", "duplicate", "stale", "duplicate"]
    for batch in range(1, 8):  # wherever it is cut, a repeat that is remembered is not asked of the store
        assert verify(camp.hub.database, batch=batch).agrees, batch
    camp.hub.database.close()


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_gap_in_the_log(copy: Path, elsewhere: bool) -> None:
    """Records in a broker's topic that are no messages of ours leave gaps, which are nobody's loss; a log of our own has none."""
    later = [
        f"UPDATE {table} SET {name} = {name} + 1000 WHERE {name} >= 5 {also}"
        for table, name, also in (
            ("intake", "offset", ""),
            ("decision", "place", "AND origin = 'intake'"),
            ("lane", "next_offset", ""),
        )
    ]
    plant(copy, *later, *(["INSERT OR REPLACE INTO meta VALUES ('log', 'a topic')"] if elsewhere else []))

    assert rebuilt(copy, batch=1).agrees is elsewhere
