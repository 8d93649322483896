"""Rows of door keys: hashed, never the key itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.store.contract import Store

_COLUMNS = "id, hash, salt, tenant, scope, label, at, revoked_at"


class DoorKeyRow(NamedTuple):
    """One key of a door; instants in microseconds, `revoked_at` None while it opens."""

    id: str
    hash: bytes
    salt: bytes
    tenant: str
    scope: str
    label: str
    at: int
    revoked_at: int | None


class KeyRows:
    """Door keys of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, row: DoorKeyRow) -> None:
        with self._store.write() as connection:
            connection.execute("INSERT INTO door_key VALUES (?,?,?,?,?,?,?,?)", row)

    def key(self, id_: str) -> DoorKeyRow | None:
        with self._store.read() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM door_key WHERE id = ?", (id_,)).fetchone()
            return DoorKeyRow(*row) if row else None

    def all(self) -> Sequence[DoorKeyRow]:
        with self._store.read() as connection:
            return [DoorKeyRow(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM door_key ORDER BY at, id")]

    def revoke(self, id_: str, at: int) -> bool:
        """False when no such key opens anything."""
        with self._store.write() as connection:
            row = connection.execute(
                "UPDATE door_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL RETURNING id", (at, id_)
            ).fetchone()
            return row is not None
