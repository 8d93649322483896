"""A campsite moves from its file to PostgreSQL: nothing is lost, nothing is there twice, and at no instant can a hub run on both."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from engine.address import lane_of
from engine.hub import Hub
from engine.moving import move
from engine.store.contract import StoreTaken
from engine.store.moving.tables import APART, TABLES
from engine.store.postgresql.database import Database as Postgres
from engine.store.rows import Key, SwitchRow
from engine.store.sqlite.database import Database
from engine.store.switches import Switches
from engine.verify import verify
from schemas.errors import HubError
from tests.engine.campsite import Campsite, arrival, asked, booking, configuration, eventful, payment, word

ROOT = Path(__file__).parents[2]
SETTINGS = configuration("camp-azur/2", approval_above=15_000)
WAITING = [
    booking("M1"),
    booking("M2"),
    payment("M1", "3101"),
    asked("M2"),
    payment("M2", "3102"),
    word("f", "person.forget", "p-C"),
]


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store in which everything happened, with messages that nobody has decided yet, and one that repeats an earlier one."""
    folder = tmp_path_factory.mktemp("moving")
    camp = Campsite(folder / "camp.sqlite", SETTINGS)
    eventful(camp)
    camp.send(booking("T", arrival="2026-07-30"))
    camp.send(asked("T"))  # a quote, which expires
    camp.hub.intake.append([arrival(one) for one in (*WAITING, booking("B"))])
    camp.close()
    return folder


@pytest.fixture
def camp(summer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of one's own, and its key where a database has it."""
    for name in ("camp.sqlite", "camp.sqlite.key", "camp.sqlite.lock"):
        shutil.copy(summer / name, tmp_path / name)
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", (tmp_path / "camp.sqlite.key").read_text().strip())
    return tmp_path / "camp.sqlite"


def one(address: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address, options="-c search_path=foliohub") as connection:
        return connection.execute(statement.encode()).fetchall()


def has_store(address: str) -> bool:
    return one(address, "SELECT to_regclass('foliohub.meta') IS NOT NULL") == [(True,)]


def usable(address: str) -> bool:
    """Whether a hub opens it."""
    try:
        Postgres(address, writer=False).close() if address.startswith("postgresql:") else Database(address).close()
    except HubError as refused:
        if refused.code not in ("store_arriving", "store_moved", "no_store"):
            raise
        return False
    return True


def test_no_table_is_forgotten(camp: Path, postgres_store: str) -> None:
    """Whoever adds a table to a store says how it moves."""
    with closing(sqlite3.connect(camp)) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = {name for name in there if not name.startswith(("sqlite_", "inbox_2", "inbox_1"))}

    assert (ours - APART) | {"outbox_waiting"} == {table.table for table in TABLES}  # in a file it is a column
    tables = one(postgres_store, "SELECT tablename FROM pg_tables WHERE schemaname = 'foliohub'")
    assert {name for (name,) in tables if not str(name).startswith("inbox_2")} == ours | {
        "lane_end",
        "lease",
        "inbox",
        "outbox_asked",
        "outbox_waiting",
    }


def test_everything_moves_and_the_log_still_makes_the_store(camp: Path, postgres_url: str) -> None:
    """Balances, states, requests; then the hub goes on there, and decides what waited in order of each key."""
    before = Database(str(camp), writer=False)
    was = verify(before)
    before.close()

    moved = move(str(camp), postgres_url)

    assert moved.proof.rows["intake"] > 40
    assert moved.proof.streams["waiting"].rows == len(WAITING) + 1
    assert sum(moved.proof.effects.values()) == moved.proof.rows["effect"] > 4
    there = Postgres(postgres_url)
    assert there.lanes == 32
    found = verify(there)
    assert found.differences == ()
    assert {**found.compared, "lane": 1} == was.compared
    assert there.renewed() == ("", 0)
    assert there.remember("log", "a topic") == "", "a broker whose offsets begin anew is refused as its log"

    hub = Hub(SETTINGS, there, {})
    assert hub.store.waiting_count() == len(WAITING) + 1
    hub.lanes.clock.now()
    while hub.run_lanes().more:
        pass
    assert hub.store.waiting_count() == 0
    results = hub.reading.rows("SELECT id, result FROM decision JOIN intake USING (lane) WHERE origin = 'intake' AND parent = 0"
                               ' AND place = "offset" ORDER BY decision.seq DESC LIMIT 7')  # fmt: skip
    told = {row["id"]: row["result"] for row in results}
    assert told == {
        "booking-M1": "decided", "booking-M2": "decided", "payment-M1": "forwarded", "payment-M2": "forwarded", "ask-M2": "decided",
        "f": "decided", "booking-B": "duplicate",
    }  # fmt: skip
    for row in hub.reading.rows("SELECT tenant, kind, key, lane FROM state"):
        assert row["lane"] == lane_of(Key(row["tenant"], row["kind"], row["key"]), 32)
    hub.intake.append([arrival(booking("N1")), arrival(payment("N1", "3110")), arrival(booking("A"))])
    while hub.run_lanes().more:
        pass
    again = verify(there)
    assert again.differences == ()
    assert again.decisions > found.decisions + 7
    hub.close()


def test_the_old_file_is_read_and_never_opened_again(camp: Path, postgres_url: str) -> None:
    """Nor changed by a command that had it open, nor by a release that does not know of moves."""
    beside = Database(str(camp), writer=False)
    move(str(camp), postgres_url)

    with pytest.raises(HubError, match=r"has moved to postgresql://postgres@127\.0\.0\.1") as gone:
        Database(str(camp))
    assert gone.value.code == "store_moved"
    with pytest.raises(HubError) as gone:
        Switches(beside).set(SwitchRow("azur", 1, "operator:olga", "", 1))
    assert gone.value.code == "store_moved"
    beside.close()
    with closing(sqlite3.connect(camp)) as connection, pytest.raises(sqlite3.IntegrityError, match="store_moved"):
        connection.execute("UPDATE lane SET epoch = epoch + 1")
    old = Database(str(camp), writer=False)
    assert verify(old).differences == ()
    old.close()
    assert move(str(camp), postgres_url).before, "said again: it is done"
    with pytest.raises(HubError) as gone:
        move(str(camp), postgres_url.rpartition("/")[0] + "/postgres")
    assert gone.value.code == "store_moved"


STEPS = {"filled": True, "arriving": True, "moved": False, "lifted": False}


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_leaves_one_at_most_and_the_next_attempt_ends_it(camp: Path, postgres_url: str, step: str) -> None:
    """The file until it is buried, the database from then on."""
    script = (
        "import os, signal, sys\nfrom engine.moving import move\n"
        "def at(step, there):\n    if step == sys.argv[3]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "move(sys.argv[1], sys.argv[2], at=at)"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(camp), postgres_url, step], cwd=ROOT, env=dict(os.environ), check=False)
    assert ran.returncode == -signal.SIGKILL

    assert usable(str(camp)) is STEPS[step]
    assert usable(postgres_url) is (step == "lifted")
    moved = move(str(camp), postgres_url)

    assert moved.before is not STEPS[step]
    assert (usable(str(camp)), usable(postgres_url)) == (False, True)
    there = Postgres(postgres_url, writer=False)
    assert verify(there).differences == ()
    there.close()


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        ("DELETE FROM timer WHERE ctid = (SELECT min(ctid) FROM timer)", "timer: "),
        ("UPDATE state SET sequence = sequence + 1 WHERE key = 'B'", "folios: azur B"),
        ("UPDATE effect SET state = 'planned' WHERE folio = 'A'", "requests: "),
        ("SET LOCAL session_replication_role = replica; UPDATE transfer_row SET minor = minor + 1", "balances: azur EUR"),
        ("UPDATE lane SET next_offset = next_offset + 1 WHERE lane = 0", "waiting: "),
    ],
)  # fmt: skip
def test_any_difference_and_nothing_has_happened(camp: Path, postgres_url: str, spoil: str, word: str) -> None:
    """Told by name; there is no store in the database, and the file is what it was."""

    def at(step: str, there: object) -> None:
        if step == "filled":
            there.raw.execute(spoil)  # type: ignore[attr-defined]

    with pytest.raises(HubError, match=word) as unequal:
        move(str(camp), postgres_url, at=at)

    assert unequal.value.code == "move_unequal"
    assert (usable(str(camp)), has_store(postgres_url)) == (True, False)


def test_what_refuses_before_anything_happens(camp: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub on the file, a key that is missing or another's, a target that was used, too few lanes, what is no move."""

    def refused(source: str = str(camp), target: str = postgres_url, **more: int) -> HubError:
        with pytest.raises(HubError) as wrong:
            move(source, target, **more)
        return wrong.value

    hub = Database(str(camp))
    assert isinstance(refused(), StoreTaken)
    hub.close()
    key = os.environ["FOLIOHUB_MASTER_KEY"]
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", "")
    missing = refused()
    assert missing.code == "master_key_missing"
    assert f'export FOLIOHUB_MASTER_KEY="$(cat {camp}.key)"' in missing.message
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", "ab" * 32)
    wrong = refused()
    assert (wrong.code, key in wrong.message) == ("master_key_wrong", False)
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", key)
    assert refused(target=str(camp)).code == "not_a_move"
    assert refused(source=postgres_url).code == "not_a_move"
    assert refused(lanes=0).code == "too_few_lanes"
    assert not has_store(postgres_url)

    Postgres(postgres_url).close()
    one(postgres_url, "UPDATE lane SET epoch = 1 WHERE lane = 3 RETURNING 1")
    assert refused().code == "not_empty"
    one(postgres_url, "UPDATE lane SET epoch = 0 RETURNING 1")
    assert move(str(camp), postgres_url, lanes=5).rows > 100
    there = Postgres(postgres_url, writer=False)
    assert there.lanes == 5
    there.close()


def test_what_no_text_of_postgresql_holds(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What strangers said with a NUL in it moves all the same; a key with one ends the move, and nothing has happened."""
    camp = Campsite(tmp_path / "camp.sqlite")
    camp.send(booking("A"))
    camp.send({**booking("B"), "id": "b\x00b"})
    camp.close()
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", (tmp_path / "camp.sqlite.key").read_text().strip())
    with closing(sqlite3.connect(tmp_path / "camp.sqlite")) as connection, connection:
        connection.execute("INSERT INTO timer VALUES ('azur', 'folio', char(0), 'n', 0, 1, 'w', 's')")
    with pytest.raises(HubError) as wrong:
        move(str(tmp_path / "camp.sqlite"), postgres_url)
    assert wrong.value.code == "not_carried"
    assert (usable(str(tmp_path / "camp.sqlite")), has_store(postgres_url)) == (True, False)
    with closing(sqlite3.connect(tmp_path / "camp.sqlite")) as connection, connection:
        connection.execute("DELETE FROM timer WHERE name = 'n'")

    move(str(tmp_path / "camp.sqlite"), postgres_url)

    assert one(postgres_url, "SELECT value FROM dead_letter") == [("b\ufffdb",)]
    there = Postgres(postgres_url, writer=False)
    assert verify(there).differences == ()
    there.close()


def test_a_database_wants_its_key(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file beside it in which one could be made."""
    monkeypatch.delenv("FOLIOHUB_MASTER_KEY", raising=False)
    with pytest.raises(HubError, match="FOLIOHUB_MASTER_KEY") as missing:
        Hub(SETTINGS, postgres_url, {})

    assert missing.value.code == "master_key_missing"
