"""Which engine a store has, told from its address: a path is one SQLite file, `postgresql://` one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.store.contract import LaneStore, Store
from engine.store.effects import EffectStore
from engine.store.notices import NoticeStore
from engine.store.sqlite.database import Database as File
from engine.store.sqlite.effects import SqliteEffects
from engine.store.sqlite.lanes import SqliteLanes
from engine.store.sqlite.notices import SqliteNotices
from engine.store.sqlite.owning import running_on
from schemas.errors import HubError

SCHEMES: Final = ("postgresql://", "postgres://")


def is_database(address: str | Path) -> bool:
    """Whether it is a PostgreSQL database, and not a file."""
    return str(address).startswith(SCHEMES)


def open_store(address: str, *, writer: bool = True, lanes: int | None = None) -> Store:
    """The store at a path or a `postgresql://` address. `writer` False: for a command beside a running hub. `lanes`: of a store that
    is made now; None: one for a file, as many as the intake topic has partitions for a database.

    Raises StoreTaken when another hub has it, StoreAway, or HubError for what is no store of this release.
    """
    if not is_database(address):
        return File(address, writer=writer, lanes=lanes or 1)
    with driver():
        from engine.store.postgresql.database import Database
    return Database(address, writer=writer, lanes=lanes)


@contextmanager
def driver() -> Iterator[None]:
    """Around the import of what speaks to PostgreSQL: one machine does without. Raises HubError `not_installed`."""
    try:
        yield
    except ImportError as missing:
        raise HubError(
            f"a PostgreSQL store needs the extra packages of foliohub[distributed]: {missing}", code="not_installed", field="store",
            value="postgresql",
        ) from None  # fmt: skip


def lanes_of(store: Store) -> LaneStore:
    """The part of it that intake and lanes use."""
    if isinstance(store, File):
        return SqliteLanes(store)
    from engine.store.postgresql.database import Database
    from engine.store.postgresql.lanes import PostgresLanes

    assert isinstance(store, Database)
    return PostgresLanes(store)


def effects_of(store: Store) -> EffectStore:
    """The part of it that the effects runner uses."""
    if isinstance(store, File):
        return SqliteEffects(store)
    from engine.store.postgresql.database import Database
    from engine.store.postgresql.effects import PostgresEffects

    assert isinstance(store, Database)
    return PostgresEffects(store)


def notices_of(store: Store) -> NoticeStore:
    """The part of it that sends notices."""
    if isinstance(store, File):
        return SqliteNotices(store)
    from engine.store.postgresql.database import Database
    from engine.store.postgresql.notices import PostgresNotices

    assert isinstance(store, Database)
    return PostgresNotices(store)


def runs_on(store: Store) -> str:
    """The process of a hub that runs on it, or one of several; empty: none does."""
    if isinstance(store, File):
        return str(running_on(store.path) or "")
    return next(iter(store.members()), "")
