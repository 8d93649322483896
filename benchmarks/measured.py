"""One timed run, and how its store is looked at."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One verified run. `rows` and `bytes_` stand in the store afterwards; `changed` rows and `written` bytes are what the run wrote to
    get there, log and rewriting included; `parts`: seconds of each part where they are told apart."""

    inputs: int
    seconds: float
    rows: int
    bytes_: int
    changed: int
    written: int
    pragmas: dict[str, str]
    parts: dict[str, float] = {}

    @property
    def rate(self) -> float:
        """External inputs a second."""
        return self.inputs / self.seconds


def pragmas(db: sqlite3.Connection) -> dict[str, str]:
    """What the writing connection really runs under, read back. Raises AssertionError for anything but WAL and FULL."""
    found = {name: str(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("journal_mode", "synchronous", "page_size")}
    assert (found["journal_mode"], found["synchronous"]) == ("wal", "2"), found
    return found


def rows_in(db: sqlite3.Connection) -> int:
    """Rows of every table."""
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return sum(int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables)


def size_of(path: Path) -> int:
    """Bytes of a store that nobody uses any more, its write-ahead log folded in."""
    with closing(sqlite3.connect(path)) as db:
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    assert not busy, f"{path} is in use"
    return path.stat().st_size


def written() -> int:
    """Bytes that this process has written so far, as the kernel counts them; 0 where it does not."""
    counts = Path("/proc/self/io")
    if not counts.exists():
        return 0
    return int(dict(line.split(": ") for line in counts.read_text(encoding="ascii").splitlines())["wchar"])
