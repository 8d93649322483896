"""A store that has moved: people read it on, no hub opens it, and nothing in it changes any more, whatever release tries to."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from schemas.errors import HubError

CODE: Final = "store_moved"


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Where a store went. `token` is the mark that this very move left there."""

    to: str
    at: str
    token: str


def moved(connection: sqlite3.Connection) -> Moved | None:
    """Where the store of this file went; None: it is here."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'moved'").fetchone()
    return msgspec.json.decode(row[0], type=Moved) if row else None


def bury(connection: sqlite3.Connection, to: Moved) -> None:
    """Inside a write transaction: each table refuses every change from its commit on."""
    connection.execute("INSERT INTO meta VALUES ('moved', ?)", (msgspec.json.encode(to).decode(),))
    where = to.to.replace("'", "''")
    for (table,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall():
        for change in ("INSERT", "UPDATE", "DELETE"):
            connection.execute(
                f"CREATE TRIGGER moved_{table}_{change} BEFORE {change} ON {table} BEGIN SELECT raise(ABORT, '{CODE}: {where}'); END"
            )


def refusal(path: str, where: str) -> HubError:
    """What whoever wants more than to read is told."""
    return HubError(
        f"{path} is not the store any more: it has moved to {where}; name that one with --store. What is here can be read, not changed",
        code=CODE, field="store", value=path,
    )  # fmt: skip
