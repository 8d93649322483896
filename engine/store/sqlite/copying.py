"""Backup and restore of a file. A backup is one whole file, as the store was at one instant, while hubs go on writing.

A restore leaves what it replaces beside the new one, and says in the new one that it was restored: whatever stands beside it, the next
hub takes it for a new generation.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from engine.store.contract import StoreBusy
from engine.store.copies import Copied, Restored, Tell, appearing, now, reason_of, size_of, sync
from engine.store.sqlite.database import Database
from engine.store.sqlite.moved import moved, refusal
from engine.store.sqlite.owning import prepare, take
from engine.store.sqlite.upgrading import SCHEMA_VERSION
from schemas.errors import HubError

HEAD: Final = b"SQLite format 3\x00"
_PAGES: Final = 16_384  # copied between two words about it


def back_up(path: str, to: str, tell: Tell) -> Copied:
    """Raises HubError: `exists`, `store_moved`, `backup_broken`."""
    store = Database(path, writer=False)
    try:
        if store.moved is not None:
            raise refusal(store.path, store.moved.to)
        with appearing(to) as draft, store.read() as connection:
            at = now()
            generation, last = _standing(connection)
            with closing(sqlite3.connect(draft, isolation_level=None)) as made:
                _copy(connection, made, tell)
                made.execute("INSERT INTO meta VALUES ('backup', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (at,))
                _whole(made, draft)
                if _standing(made) != (generation, last):
                    raise HubError(
                        "the backup does not end where the store did: say it again", code="backup_broken", field="to", value=to
                    )
        return Copied(
            store=store.path, to=to, engine="sqlite", at=at, generation=generation, last_decision=last,
            store_size=size_of(store.path), size=Path(to).stat().st_size,
        )  # fmt: skip
    except sqlite3.DatabaseError as error:
        raise HubError(f"{to}: {error}", code="unwritable", field="to", value=to) from error
    finally:
        store.close()


def restore(source: str, path: str, tell: Tell, *, replace: bool) -> Restored:
    """Raises HubError: `store_taken` while a hub runs there, `not_empty`, `store_moved`, `backup_broken`."""
    path = os.path.realpath(path)
    if Path(source).resolve() == Path(path):
        raise HubError("a store is not its own backup", code="not_a_backup", field="from", value=source)
    there = Path(path).is_file() and Path(path).stat().st_size > 0
    if there and not replace:
        raise HubError(
            f"{path} is there already: name another file, or say --replace; what is there is kept beside it", code="not_empty",
            field="to", value=path,
        )  # fmt: skip
    prepare(path)
    guard = take(path)
    draft = f"{path}.{os.getpid()}.new"
    try:
        if there and _is_file(path):
            _refuse_moved(path)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        at, generation, last = _drafted(source, draft, tell)
        sync(draft)
        kept = _set_aside(path) if there else ""
        Path(draft).replace(path)
        sync(str(Path(path).parent))
    finally:
        Path(draft).unlink(missing_ok=True)
        os.close(guard)
    return Restored(
        source=source, to=path, engine="sqlite", backup_at=at, generation=generation, last_decision=last, kept=kept
    )  # fmt: skip


def _drafted(source: str, draft: str, tell: Tell) -> tuple[str, int, int]:
    try:
        with (
            closing(sqlite3.connect(f"{Path(source).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as backup,
            closing(sqlite3.connect(draft, isolation_level=None)) as made,
        ):
            _copy(backup, made, tell)
            _whole(made, source)
            version = made.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise HubError(
                    f"{source} was made by a newer foliohub: upgrade foliohub", code="schema_newer", field="from", value=source
                )
            generation, last = _standing(made)
            row = made.execute("SELECT value FROM meta WHERE name = 'backup'").fetchone()
            at = str(row[0]) if row is not None else "an unknown day"
            if moved(made) is not None:
                raise HubError(f"{source} is a store that has moved, and no backup", code="store_moved", field="from", value=source)
            made.execute(
                "INSERT INTO meta VALUES ('restored', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (reason_of(at),)
            )
            return at, generation, last
    except sqlite3.DatabaseError as error:
        raise HubError(f"{source}: {error}", code="backup_broken", field="from", value=source) from error


def _refuse_moved(path: str) -> None:
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as old:  # a broken one is what restores are for
        gone = moved(old)
        if gone is not None:
            raise refusal(path, gone.to)


def _set_aside(path: str) -> str:
    """What is replaced, whole and under another name; nothing of its write-ahead log stays where the new file will be."""
    if _is_file(path):
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path, timeout=1)) as old:
            if old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise StoreBusy(f"{path}: somebody reads the store: end that first", field="to", value=path)
    kept = f"{path}.replaced-{now().replace(':', '').replace('-', '')}"
    if Path(f"{path}-wal").exists():
        Path(f"{path}-wal").replace(f"{kept}-wal")
    Path(f"{path}-shm").unlink(missing_ok=True)
    os.link(path, kept)
    return kept


def _is_file(path: str) -> bool:
    """Whether SQLite would take it for a database: what it does not, it takes the log of away."""
    with Path(path).open("rb") as file:
        return file.read(len(HEAD)) == HEAD


def _copy(connection: sqlite3.Connection, made: sqlite3.Connection, tell: Tell) -> None:
    def progress(_status: int, remaining: int, total: int) -> None:
        if total > _PAGES:
            tell(f"{100 * (total - remaining) // max(total, 1)} % of {total} pages")

    connection.backup(made, pages=_PAGES, progress=progress)
    made.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it


def _whole(connection: sqlite3.Connection, name: str) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise HubError(f"{name} is not whole: {found}", code="backup_broken", field="file", value=name)


def _standing(connection: sqlite3.Connection) -> tuple[int, int]:
    """Generation, and the last decision."""
    row = connection.execute(
        "SELECT CAST(value AS INTEGER), (SELECT coalesce(max(seq), 0) FROM decision) FROM meta WHERE name = 'generation'"
    ).fetchone()
    if row is None:
        raise HubError("this is no store", code="not_a_backup", field="from")
    return int(row[0]), int(row[1])
