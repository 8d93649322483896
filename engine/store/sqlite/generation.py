"""How far a store has come, said beside it as well: in the file of its lock, after each claim and before each send.

A store that lies behind what stands beside it is a restored backup; one with nothing beside it was moved here. Either is a new
generation: money may have moved that it does not know of (design, effects).
"""

from __future__ import annotations

import os
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
        raise HubError(
            f"{path} is empty, and {path}.lock says that a store was here: put it back, or remove {path}.lock to begin anew",
            code="store_lost",
            field="store",
            value=path,
        )
    return "this store is an older copy: money may have moved since it was made" if store < said else ""
