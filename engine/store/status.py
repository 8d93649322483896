"""How a store stands: engine, schema, lanes, generation, how much there is, and whether it is here, coming or gone. Read-only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.store.contract import Connection
from engine.store.copies import size_of
from engine.store.opening import driver, is_database
from engine.store.sqlite.upgrading import SCHEMA_VERSION as FILE_VERSION
from schemas.errors import HubError

_COUNTED: Final = (
    "intake",
    "decision",
    "transfer_row",
    "state",
    "timer",
    "parked",
    "blocked",
    "effect",
    "dead_letter",
    "outbox_row",
)
_MARKS: Final = {"moved": "moved", "arriving": "arriving", "restored": "restored"}


class LaneStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A lane: how often it was claimed, the offset that is decided next, how many messages wait."""

    lane: int
    epoch: int
    next_offset: int
    waiting: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: here, moved, arriving, or restored (until a hub has put everything in doubt); `where` says from or to where."""

    store: str
    engine: str
    schema: int
    known_schema: int
    state: str
    where: str
    generation: int
    last_decision: int
    size: int
    lanes: tuple[LaneStanding, ...]
    rows: dict[str, int]


def standing(address: str) -> Standing:
    """Of a store of any release, opened by nobody or by many. Raises HubError `no_store`, `store_away`, `store_broken`."""
    if is_database(address):
        with driver():
            from engine.store.postgresql.link import without_password
            from engine.store.postgresql.standing import looking, sizes
            from engine.store.postgresql.upgrading import SCHEMA_VERSION, versions
        with looking(address) as link:
            return _told(link, without_password(address), "postgresql", versions(link)[0], SCHEMA_VERSION, sizes(link))
    try:
        with closing(sqlite3.connect(f"{Path(address).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if not version:
                raise HubError(f"{address} holds no store", code="no_store", field="store", value=address)
            return _told(connection, address, "sqlite", version, FILE_VERSION, size_of(address))
    except sqlite3.DatabaseError as error:
        raise HubError(f"{address}: {error}", code="store_broken", field="store", value=address) from error


def _told(connection: Connection, name: str, engine: str, schema: int, known: int, size: int) -> Standing:
    meta: dict[str, str] = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    state = next((state for mark, state in _MARKS.items() if mark in meta), "here")
    lanes = connection.execute(
        'SELECT lane, epoch, next_offset, (SELECT count(*) FROM intake WHERE intake.lane = lane.lane AND intake."offset" >= next_offset)'
        " FROM lane ORDER BY lane"
    ).fetchall()
    return Standing(
        store=name, engine=engine, schema=schema, known_schema=known, state=state, where=_where(meta, state),
        generation=int(meta["generation"]), size=size,
        last_decision=connection.execute("SELECT coalesce(max(seq), 0) FROM decision").fetchone()[0],
        lanes=tuple(LaneStanding(lane=row[0], epoch=row[1], next_offset=row[2], waiting=row[3]) for row in lanes),
        rows={table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _COUNTED},
    )  # fmt: skip


def _where(meta: dict[str, str], state: str) -> str:
    if state == "restored":
        return meta[state]
    mark: dict[str, Any] = msgspec.json.decode(meta.get(state) or meta.get("moved_from") or "{}")
    if state == "moved":
        return f"to {mark['to']} at {mark['at']}"
    return f"from {mark['source']} at {mark['at']}" if mark else ""
