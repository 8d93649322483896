"""Statements that are put together: so many values, so many rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

NAMED: Final = 5_000  # at most so many values in one statement
INTERNAL_COLUMNS: Final = (
    " (lane, message, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent, cause, body)"
)
_T = TypeVar("_T")


def marks(count: int) -> str:
    """So many question marks."""
    return ",".join("?" * count)


def batches(values: list[_T]) -> Iterator[list[_T]]:
    """As many at once as a statement may name: a message may know its folio by hundreds of names."""
    return (values[first : first + NAMED] for first in range(0, len(values), NAMED))


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]], columns: str = "") -> None:
    """All rows in one statement."""
    if rows:
        connection.executemany(f"INSERT INTO {table}{columns} VALUES ({marks(len(rows[0]))})", rows)
