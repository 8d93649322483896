"""SQLite's own errors, and what each means for a hub: when it is back, or never so."""

from __future__ import annotations

import sqlite3

from engine.store.contract import Constraint, StoreAway, StoreBusy
from engine.store.sqlite.moved import CODE, refusal
from schemas.errors import HubError

_BUSY = "database is locked"
_AWAY = (
    "disk is full",
    "disk I/O error",
    "unable to open",
    "readonly",
    "disk image is malformed",
    "out of memory",
)


def translated(error: sqlite3.DatabaseError, path: str) -> HubError:
    """SQLite's own error as ours: what the store at `path` refuses, what comes back by itself, what is broken."""
    if isinstance(error, sqlite3.IntegrityError):
        if str(error).startswith(f"{CODE}: "):
            return refusal(path, str(error).partition(": ")[2])
        return Constraint(f"the store refused a row: {error}", value=error)
    text = str(error)
    if isinstance(error, sqlite3.OperationalError) and _BUSY in text:
        return StoreBusy(f"{path}: {text}: another process holds it, wait for that or end it", field="store", value=path)
    if isinstance(error, sqlite3.OperationalError) and any(word in text for word in _AWAY):
        return StoreAway(f"{path}: {text}: free or mend the disk, the hub goes on by itself", field="store", value=path)
    return HubError(f"{path}: {text}", code="store_broken", field="store", value=path)
