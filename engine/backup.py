"""Backups of a store, and stores from backups, whatever the engine; the master key is in neither."""

from __future__ import annotations

from pathlib import Path

from engine.store.copies import Copied, Restored, Tell, refuse_there
from engine.store.opening import driver, is_database
from engine.store.sqlite import copying
from schemas.errors import HubError


def back_up(address: str, to: str, tell: Tell = lambda _: None) -> Copied:
    """A whole copy of the store as it is now, while hubs go on; never over anything that is there. Raises HubError."""
    refuse_there(to)
    if not is_database(address):
        return copying.back_up(address, to, tell)
    with driver():
        from engine.store.postgresql import dumping
    return dumping.back_up(address, to, tell)


def restore(source: str, address: str, tell: Tell = lambda _: None, *, replace: bool = False) -> Restored:
    """A store from a backup, into an empty place, or in place of the one that is there, which is kept. Raises HubError."""
    try:
        with Path(source).open("rb") as file:
            head = file.read(len(copying.HEAD))
    except OSError as error:
        raise HubError(f"{source}: {error.strerror}", code="unreadable", field="from", value=source) from None
    is_file = head == copying.HEAD
    if not is_file and not head.startswith(b"PGDMP"):
        raise HubError(f"{source} is no backup that foliohub makes", code="not_a_backup", field="from", value=source)
    if is_file is is_database(address):
        text = "a file's backup is restored as a file, and moved from there" if is_file else "a database's into a database"
        raise HubError(f"{source} is a backup of another engine: {text}", code="not_a_backup", field="to")
    if is_file:
        return copying.restore(source, address, tell, replace=replace)
    with driver():
        from engine.store.postgresql import dumping
    return dumping.restore(source, address, tell, replace=replace)
