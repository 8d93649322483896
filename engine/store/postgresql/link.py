"""A connection to a PostgreSQL database, as the statements that both engines understand see it."""

from __future__ import annotations

import select
from functools import lru_cache
from typing import Any

import psycopg

from engine.store.contract import Cursor


class Link:
    """A connection as the statements that both engines understand see it."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.raw = connection

    def execute(self, statement: str, parameters: Any = (), /) -> Cursor:
        return self.raw.execute(own_marks(statement), parameters or None)

    def executemany(self, statement: str, parameters: Any, /) -> Cursor:
        cursor = self.raw.cursor()
        cursor.executemany(own_marks(statement), parameters)
        return cursor


@lru_cache(maxsize=1024)
def own_marks(statement: str) -> bytes:
    """Question marks as psycopg writes them. No statement of ours has one inside a text."""
    return statement.replace("%", "%%").replace("?", "%s").encode() if "?" in statement else statement.encode()


def hung_up(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has something to say that nobody asked for, between transactions: its farewell. Costs no round trip, and
    whoever comes after an outage is not told of one that is over."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def without_password(address: str) -> str:
    """Where it is, for people."""
    known = psycopg.conninfo.conninfo_to_dict(address)
    host, port, name = known.get("host", "localhost"), known.get("port", 5432), known.get("dbname", "")
    user = f"{known['user']}@" if known.get("user") else ""
    return f"postgresql://{user}{host}:{port}/{name}"
