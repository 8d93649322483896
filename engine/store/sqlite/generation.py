"""How far a store has come, said beside it as well: in the file of its lock, after each claim and before each send.

A store that lies behind what stands beside it is a restored backup; one with nothing beside it was moved here. Either is a new
generation: money may have moved that it does not know of (design, effects). An empty file beside a key, or where a store is known to
have been, is none: its data was left behind.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from schemas.errors import HubError

_PLACE = 64  # the process that has the lock stands before
_LENGTH = 42


class Progress(NamedTuple):
    """Claims of the lanes, and requests that were marked as sent; later is greater."""

    epoch: int
    sends: int


def beside(descriptor: int) -> Progress | None:
    """What the lock's file says; None if it says nothing."""
    words = os.pread(descriptor, _LENGTH, _PLACE).split()
    return Progress(int(words[0]), int(words[1])) if len(words) == 2 and all(word.isdigit() for word in words) else None


def put_beside(descriptor: int, progress: Progress) -> None:
    """Durable when it returns."""
    os.pwrite(descriptor, b"%020d %020d\n" % progress, _PLACE)
    os.fdatasync(descriptor)


def is_new_generation(store: Progress, said: Progress | None, path: str) -> str:
    """Why this store is a new generation; empty if it is what it was.

    Raises HubError `store_lost` for a store that was made anew where one has been.
    """
    if said is None:
        return "" if store.epoch == 0 else "this store was moved here: money may have moved since it was copied"
    if store.epoch == 0:
        raise _lost(path, f"{path}.lock")
    return "this store is an older copy: money may have moved since it was made" if store < said else ""


def refuse_left_behind(path: str, said: Progress | None) -> None:
    """Asked of an empty file, before a store is made in it. The key is made after the store: a first start that was interrupted has no
    key beside an empty file.

    Raises HubError `store_lost`.
    """
    if Path(f"{path}.key").exists():
        raise _lost(path, f"{path}.key")
    if said is not None:
        raise _lost(path, f"{path}.lock")


def _lost(path: str, witness: str) -> HubError:
    return HubError(
        f"{path} is empty, and {witness} says that a store was here: put the store back, with its {Path(path).name}-wal if there is"
        f" one, or remove {path}.key and {path}.lock to begin anew",
        code="store_lost",
        field="store",
        value=path,
    )
