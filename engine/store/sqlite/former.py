"""Aggregates that other rules than ours have decided, in a temporary file: verification does not hold them against our rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.store.rows import Key

_SCHEMA = """
CREATE TABLE former (
    tenant TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, rules INTEGER NOT NULL, differs INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, kind, key)
) STRICT, WITHOUT ROWID
"""


class Otherwise(NamedTuple):
    """An aggregate that our rules would have decided otherwise than those of the release that did."""

    tenant: str
    kind: str
    key: str
    rules: int


class Former:
    """Which aggregates they are, by which rules first, and which of them our rules make other rows of."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute(_SCHEMA)
        self._any = False

    def __bool__(self) -> bool:
        return self._any

    def take(self, keys: Iterable[Key], rules: int) -> None:
        """These were decided by other rules, or with something that was."""
        self._any = True
        self._db.executemany(
            "INSERT OR IGNORE INTO former (tenant, kind, key, rules) VALUES (?, ?, ?, ?)", [(*key, rules) for key in keys]
        )

    def rules_of(self, key: Key) -> int:
        """The rules that decided this aggregate first; 0: never any but ours."""
        if not self._any:
            return 0
        row = self._db.execute("SELECT rules FROM former WHERE tenant = ? AND kind = ? AND key = ?", key).fetchone()
        return int(row[0]) if row else 0

    def differs(self, key: Key) -> bool:
        """Note a difference, if the aggregate is one of these."""
        if not self._any:
            return False
        found = self._db.execute("UPDATE former SET differs = 1 WHERE tenant = ? AND kind = ? AND key = ?", key)
        return found.rowcount > 0

    def count(self) -> int:
        """How many differ."""
        return int(self._db.execute("SELECT count(*) FROM former WHERE differs").fetchone()[0])

    def first(self, limit: int) -> Sequence[Otherwise]:
        """The first of those that differ."""
        statement = "SELECT tenant, kind, key, rules FROM former WHERE differs ORDER BY tenant, kind, key LIMIT ?"
        return [Otherwise(*row) for row in self._db.execute(statement, (limit,))]

    def close(self) -> None:
        self._db.close()
