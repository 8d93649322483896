"""An upgrade is whole or has not happened, and says that it takes its time."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.store.sqlite.database import Database
from engine.store.sqlite.upgrading import SCHEMA_VERSION, upgrade

RELEASED = Path(__file__).parent / "released" / "1" / "hub.sqlite"
DYING = """
import os, signal, sqlite3, sys
from engine.store.sqlite.upgrading import upgrade

def dies(action, name, *_):
    if action == sqlite3.SQLITE_DROP_TABLE and name == "{table}":
        os.kill(os.getpid(), signal.SIGKILL)
    return sqlite3.SQLITE_OK

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA cache_size=5")  # pages that do not fit are written before the end
connection.set_authorizer(dies)
upgrade(connection, sys.argv[1], 1)
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of the first version."""
    return Path(shutil.copy(RELEASED, tmp_path / "hub.sqlite"))


def content(path: Path) -> list[str]:
    """Everything in it, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]


@pytest.mark.parametrize("table", ["intake_1", "decision_1", "outbox_1", "effect_1"])
def test_killed_on_the_way_it_begins_again(store: Path, tmp_path: Path, table: str) -> None:
    """With pages of the half-done upgrade on the disk, the store is what it was, and the next start brings it to this version."""
    before = content(store)
    Database(shutil.copy(store, tmp_path / "straight.sqlite")).close()
    ended = subprocess.run([sys.executable, "-c", DYING.format(table=table), str(store)], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert Path(f"{store}-wal").stat().st_size > 20_000

    assert content(store) == before
    Database(str(store)).close()

    assert content(store) == content(tmp_path / "straight.sqlite")


def test_what_cannot_be_done_is_undone(store: Path) -> None:
    """An error at any statement leaves the store as it was."""
    before = content(store)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.set_authorizer(
            lambda action, name, *_: (
                sqlite3.SQLITE_DENY if (action, name) == (sqlite3.SQLITE_CREATE_VIEW, "outbox") else sqlite3.SQLITE_OK
            )
        )
        with pytest.raises(sqlite3.DatabaseError):
            upgrade(connection, str(store), 1)

    assert content(store) == before


def test_it_is_told(store: Path) -> None:
    """Before it begins, with how long it takes, and when it is done; a store of this version is opened without a word."""
    with capture_logs() as logged:
        Database(str(store)).close()
        Database(str(store)).close()

    each = [("store_upgrade", "warning"), ("store_upgraded", "warning")]
    assert [(one["event"], one["log_level"]) for one in logged] == each * (SCHEMA_VERSION - 1)
    assert {"store": str(store), "before": 1, "to": 2, "megabytes": 0, "about_s": 0}.items() <= logged[0].items()
    assert logged[-1]["to"] == SCHEMA_VERSION
