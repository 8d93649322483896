"""Whose a store's file is: it is made for its owner alone, and one hub at a time has it, by a lock of the operating system on a side
file, which is free again when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from engine.store.contract import StoreAway, StoreTaken


def prepare(path: str) -> None:
    """The folder of a store, and for a new one its file, which only its owner reads. Raises StoreAway."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unreachable(path, error) from None


def take(path: str) -> int:
    """The operating system's lock on `<path>.lock`; freed when the process ends, however it ends."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unreachable(f"{path}.lock", error) from None
    for patience_s in (0.05, 0.1, 0.2, None):  # a command that asks whether a hub runs holds the lock for a moment
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if patience_s is not None:
                time.sleep(patience_s)
    else:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise StoreTaken(
            f"{path}: another hub (process {owner or 'unknown'}) runs on this store: stop it first, or choose another --store",
            field="store",
            value=path,
        ) from None
    os.pwrite(descriptor, str(os.getpid()).encode().ljust(32), 0)
    return descriptor


def running_on(path: str) -> int | None:
    """The process that runs a hub on this store; None when none does."""
    try:
        descriptor = os.open(f"{os.path.realpath(path)}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return int(os.pread(descriptor, 32, 0).decode(errors="replace").strip() or 0)
    finally:
        os.close(descriptor)
    return None


def _unreachable(path: str, error: OSError) -> StoreAway:
    return StoreAway(
        f"{path}: {error.strerror}: make it readable and writable, or choose another --store", field="store", value=path
    )
