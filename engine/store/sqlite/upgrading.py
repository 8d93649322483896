"""Bringing a store to this version's schema: a new one is made whole, an older one goes from version to version.

Each version is one transaction: a process that is killed on the way, or a disk that is full, leaves the store as it was, and the next
start begins again. An upgrade writes most of the store anew, so it takes its time, which is told, and room beside the store.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from importlib import resources
from typing import Final

import structlog

from schemas.errors import HubError

SCHEMA_VERSION: Final = 4
_TELL_S: Final = 10.0
_BYTES_PER_S: Final = 25_000_000  # so much of a store is upgraded in a second on a small machine
_STEPS: Final = 1_000_000  # of SQLite's machine, between two looks at the clock

log = structlog.get_logger(__name__)


def make_store(connection: sqlite3.Connection, lanes: int) -> None:
    """An empty store."""
    rows = "".join(f"INSERT INTO lane VALUES ({lane}, 0, 0, 0, NULL);" for lane in range(lanes))
    rows += f"INSERT INTO meta VALUES ('lanes', '{int(lanes)}'), ('generation', '1'), ('sends', '0');"
    _run(connection, f"{_script('schema.sql')} {rows}", SCHEMA_VERSION)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the file's schema; 0: it has none of ours."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def bring(connection: sqlite3.Connection, path: str, *, make: bool) -> bool:
    """The store at `path` to this version, if we are to `make` it so; False: the file is empty.

    Raises HubError `schema_newer`, `schema_older` where somebody else is to make it, `not_a_store`.
    """
    found = version_of(connection)
    if found > SCHEMA_VERSION:
        raise HubError(
            f"{path}: schema version {found} is newer than this foliohub knows ({SCHEMA_VERSION}): upgrade foliohub",
            code="schema_newer", field="store", value=path,
        )  # fmt: skip
    if 0 < found < SCHEMA_VERSION and not make:
        raise HubError(
            f"{path}: schema version {found} is older than this foliohub's ({SCHEMA_VERSION}): `foliohub run` upgrades it",
            code="schema_older", field="store", value=path,
        )  # fmt: skip
    if 0 < found < SCHEMA_VERSION:
        upgrade(connection, path, found)
    elif not found and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
        raise HubError(
            f"{path}: this database is not a foliohub store: name another file", code="not_a_store", field="store", value=path
        )
    return bool(found)


def upgrade(connection: sqlite3.Connection, path: str, found: int) -> None:
    """From version `found` to this one; what is under way is logged."""
    size = connection.execute("PRAGMA page_count").fetchone()[0] * connection.execute("PRAGMA page_size").fetchone()[0]
    for version in range(found + 1, SCHEMA_VERSION + 1):
        about_s = round(size / _BYTES_PER_S)
        log.warning("store_upgrade", store=path, before=version - 1, to=version, megabytes=size // 1_000_000, about_s=about_s)
        begun = told = time.monotonic()

        def tell() -> int:
            nonlocal told
            if time.monotonic() - told >= _TELL_S:
                told = time.monotonic()
                log.warning("store_upgrading", store=path, seconds=round(told - begun), about_s=about_s)  # noqa: B023 - used here only
            return 0

        connection.set_progress_handler(tell, _STEPS)
        try:
            _run(connection, _script(f"upgrades/{version}.sql"), version)
        finally:
            connection.set_progress_handler(None, 0)
        log.warning("store_upgraded", store=path, to=version, seconds=round(time.monotonic() - begun, 1))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log is nearly as large as the store


def _script(name: str) -> str:
    return resources.files("engine.store.sqlite").joinpath(name).read_text(encoding="utf-8")


def _run(connection: sqlite3.Connection, script: str, version: int) -> None:
    """All of it, and the version's number, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {int(version)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for part in re.split(r"(?<=;)", script):
        statement += part
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), f"no statement: {statement}"
