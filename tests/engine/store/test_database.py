"""Opening a store's file: whose it is, what it is, and who else has it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.store.contract import StoreAway, StoreTaken
from engine.store.sqlite.database import Database
from engine.store.sqlite.owning import running_on
from schemas.errors import HubError


def test_the_log_of_a_long_read_shrinks_again(tmp_path: Path) -> None:
    """While somebody reads, what is written cannot be folded in; the room that it took is given back afterwards."""
    path = tmp_path / "hub.sqlite"
    database, log = Database(str(path)), Path(f"{path}-wal")
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        for number in range(10):
            with database.write() as connection:
                connection.execute("INSERT INTO meta VALUES (?, hex(zeroblob(10000000)))", (f"large {number}",))
        assert log.stat().st_size > 200_000_000
    for _ in range(3):
        database.probe()

    assert log.stat().st_size < 140_000_000
    database.close()


def test_only_its_owner_reads_a_new_store(tmp_path: Path) -> None:
    """The write-ahead log and the index beside it included."""
    database = Database(str(tmp_path / "hub.sqlite"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    database.close()

    assert modes == {"hub.sqlite": 0o600, "hub.sqlite-wal": 0o600, "hub.sqlite-shm": 0o600, "hub.sqlite.lock": 0o600}


def test_a_second_name_of_a_store_is_the_same_store(tmp_path: Path) -> None:
    """A link leads to the same lock."""
    database = Database(str(tmp_path / "hub.sqlite"))
    link = tmp_path / "link.sqlite"
    link.symlink_to("hub.sqlite")

    with pytest.raises(StoreTaken):
        Database(str(link))

    assert running_on(str(link)) == os.getpid()
    database.close()


@pytest.mark.parametrize("writer", [True, False])
def test_a_store_of_a_later_release_is_left_alone(tmp_path: Path, *, writer: bool) -> None:
    """By the hub, and by a command beside it."""
    path = tmp_path / "hub.sqlite"
    Database(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(HubError) as failure:
        Database(str(path), writer=writer)

    assert failure.value.code == "schema_newer"


@pytest.mark.parametrize("writer", [True, False])
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, *, writer: bool) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()

    with pytest.raises(HubError) as failure:
        Database(str(path), writer=writer)

    with sqlite3.connect(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
    connection.close()
    assert failure.value.code == "not_a_store"
    assert tables == ["theirs"]


def test_a_command_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite").touch()

    with pytest.raises(HubError) as failure:
        Database(str(tmp_path / "hub.sqlite"), writer=False)

    assert failure.value.code == "no_store"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line that says where, no traceback."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreAway, match="Not a directory"):
        Database(str(tmp_path / "file" / "deeper" / "hub.sqlite"))
    with pytest.raises(StoreAway, match="Is a directory"):
        Database(str(tmp_path))


def test_a_store_that_takes_no_writes_is_away(tmp_path: Path) -> None:
    """A disk that was mounted read-only is waited for as a full one is; what was begun is undone, and it goes on afterwards."""
    database = Database(str(tmp_path / "hub.sqlite"))
    with database.write() as connection:
        connection.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreAway, match="readonly"), database.write():
        connection.execute("INSERT INTO meta VALUES ('a', 'b')")
    connection.execute("PRAGMA query_only=OFF")

    with database.write():
        assert connection.execute("SELECT count(*) FROM meta WHERE name = 'a'").fetchone() == (0,)
    database.close()


class Reading:
    """A thread that has read, and stays."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self._database.read() as connection:
            connection.execute("SELECT * FROM meta").fetchall()
        self._read.set()
        self._end.wait(20)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._read.wait(20)

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def sizes(path: Path) -> tuple[int, int]:
    """Of the store, and of its write-ahead log."""
    log = Path(f"{path}-wal")
    return path.stat().st_size, log.stat().st_size if log.exists() else 0


def test_a_hub_that_closes_leaves_the_one_file(tmp_path: Path) -> None:
    """Also while threads live that have read: they keep their connections."""
    path = tmp_path / "hub.sqlite"
    database = Database(str(path))
    with database.write() as connection:
        connection.execute("INSERT INTO meta VALUES ('large', hex(zeroblob(1000000)))")
    with Reading(database):
        before = sizes(path)
        database.close()
        after = sizes(path)

    assert (before[0], before[1] > 2_000_000) == (4096, True)
    assert (after[0] > 2_000_000, after[1]) == (True, 0)


def test_who_reads_does_not_delay_the_close(tmp_path: Path) -> None:
    """It is told that the log is left; the reader, when it goes, folds it in."""
    path = tmp_path / "hub.sqlite"
    database = Database(str(path))
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        database.probe()
        begun = time.monotonic()
        with capture_logs() as told:
            database.close()
        took_s = time.monotonic() - begun
        left = sizes(path)[1]

    assert [(one["event"], one["reason"]) for one in told] == [("log_left", "somebody reads the store")]
    assert (took_s < 1, left > 0, sizes(path)[1]) == (True, True, 0)


def test_a_full_disk_does_not_hinder_the_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed is durable in the log; the lock is free."""
    path = str(tmp_path / "hub.sqlite")
    database = Database(path)

    def full() -> bool:
        raise StoreAway("disk is full")

    monkeypatch.setattr(database, "shred", full)
    with capture_logs() as told:
        database.close()
        Database(path).close()

    assert [(one["event"], one["reason"]) for one in told] == [("log_left", "disk is full")]
