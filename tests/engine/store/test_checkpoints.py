"""Checkpoints beside the writer: the file gets what is committed while the writer goes on, and the log stays small."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.sqlite.database import Database
from tests.services.amqp_tools import wait_until

ROWS = 3_000  # of one transaction: more than a checkpoint waits for


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(str(tmp_path / "hub.sqlite"))) as database:
        database._writer.execute("PRAGMA wal_autocheckpoint=0")  # the writer makes none
        assert database.shred()
        yield database


def add(store: Database, names: range) -> None:
    with store.write() as connection:
        connection.executemany("INSERT INTO meta VALUES (?, '')", [(f"row-{name:08d}",) for name in names])


def in_the_file(store: Database) -> int:
    """How many rows a copy of the file alone has; -1: it was copied in the middle of a checkpoint."""
    copy = Path(f"{store.path}.copy")
    copy.write_bytes(Path(store.path).read_bytes())
    with closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as alone:
        try:
            return int(alone.execute("SELECT count(*) FROM meta WHERE name LIKE 'row-%'").fetchone()[0])
        except sqlite3.DatabaseError:
            return -1


def test_what_is_committed_comes_into_the_file(store: Database) -> None:
    add(store, range(ROWS))
    wait_until(lambda: in_the_file(store) == ROWS, "a checkpoint")


def test_the_writer_need_not_wait(store: Database) -> None:
    """While its transaction is open, what was committed before it comes into the file."""
    add(store, range(100))
    with store.write() as connection:
        connection.execute("INSERT INTO meta VALUES ('row-open', '')")
        store._checkpoints.changed(ROWS)
        wait_until(lambda: in_the_file(store) == 100, "a checkpoint")


def test_a_little_is_left_to_the_writer(store: Database) -> None:
    """A quiet hub has no such thread."""
    add(store, range(100))
    assert store._checkpoints._thread is None


def test_it_ends_with_the_store(store: Database) -> None:
    add(store, range(ROWS))
    thread = store._checkpoints._thread
    assert thread is not None
    assert thread.is_alive()
    store.close()
    assert not thread.is_alive()
    assert in_the_file(store) == ROWS


def test_whole_checkpoints_are_not_refused_for_it(store: Database) -> None:
    """Keys that were destroyed leave the log at once, however long one of these takes."""
    add(store, range(100))
    shredded: list[bool] = []
    whole = threading.Thread(target=lambda: shredded.append(store.shred()))
    with store._checkpoints.under_way:
        whole.start()
        whole.join(0.5)
        assert shredded == []
    whole.join(10)
    assert shredded == [True]
    assert Path(f"{store.path}-wal").stat().st_size == 0
