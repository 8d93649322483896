"""What a backup and a restore tell, and how a file appears: whole, or not at all. The copies themselves are made by each engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from schemas.errors import HubError

Tell = Callable[[str], None]
"""A line about what is under way."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A backup: as the store was at `at`, to its decision `last_decision`. Sizes in bytes."""

    store: str
    to: str
    engine: str
    at: str
    generation: int
    last_decision: int
    store_size: int
    size: int


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A store that a backup was made into; `kept`: where that which it replaced is, empty if there was none."""

    source: str
    to: str
    engine: str
    backup_at: str
    generation: int
    last_decision: int
    kept: str


def reason_of(backup_at: str) -> str:
    """Why a restored store is a new generation."""
    return f"this store was restored from a backup of {backup_at}: money may have moved since"


def now() -> str:
    """This instant, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def refuse_there(to: str) -> None:
    """Raises HubError `exists`: a backup never takes the place of anything."""
    if os.path.lexists(to):
        raise HubError(f"{to} is there already, and is not written over: name another file", code="exists", field="to", value=to)


@contextmanager
def appearing(to: str) -> Iterator[str]:
    """The name of a draft beside it, which only its owner reads; after the block it is `to`, durably, or `exists` is raised."""
    refuse_there(to)
    draft = f"{to}.{os.getpid()}.new"
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            yield draft
            sync(draft)
            try:
                os.link(draft, to)
            except FileExistsError:
                refuse_there(to)
                raise
            sync(str(Path(to).absolute().parent))
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise HubError(f"{error.filename or to}: {error.strerror}", code="unwritable", field="to", value=to) from None


def sync(path: str) -> None:
    """What is written there, or in that folder, is durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(path: str) -> int:
    """Of a file's store: also what has not come into the file yet."""
    return sum(one.stat().st_size for one in (Path(path), Path(f"{path}-wal")) if one.exists())
