"""Moves a store from a file into an empty database, and buries the file in the same act: at no instant can a hub run on both.

Four durable steps. (1) The file is locked, as by a hub, and its one write transaction is begun: nobody adds to it meanwhile. (2) The
database is filled in one transaction, together with the mark `arriving`: no hub opens it while that is there. What arrived was read
back and proved equal, or all of it is rolled back. (3) The file is marked `moved`, and refuses every change from then on. (4) The
mark in the database is lifted. A death before (3) leaves the file as it was, and the next attempt begins anew; a death after (3) leaves
the file buried, and the next attempt only does (4). Which lanes the rows get stands in `engine/store/moving/tables.py`.

It is no new generation: the file is buried, so requests keep their states, payouts go on, and what is `sending` is decided by its lease.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from engine.store.contract import Connection
from engine.store.opening import driver, is_database
from engine.store.shelf import Shelf
from engine.store.sqlite.database import Database as File
from engine.store.sqlite.moved import Moved, bury
from engine.vault import master_key
from schemas.errors import HubError
from topics.catalogue import INTAKE

if TYPE_CHECKING:
    from engine.store.moving.carrying import Tell
    from engine.store.moving.proof import Ask, Proof
    from engine.store.moving.target import Target

At = Callable[[str, "Target"], None]
"""Called after each step by its name: filled, arriving, moved, lifted."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A move that was made; `before`: by an earlier attempt, which this one ended or found ended."""

    source: str
    to: str
    rows: int
    seconds: float
    proof: Proof
    before: bool = False


def move(
    source: str, address: str, *, lanes: int = INTAKE.partitions, tell: Tell = lambda *_: None, at: At = lambda *_: None
) -> Move:
    """Raises HubError: `not_a_move` for what cannot be moved, `store_taken` while a hub runs on the file, `master_key_missing` and
    `master_key_wrong` before anything happens, `not_empty` for a target that was used, `move_unequal` when the proof fails; `store_moved`
    if it went elsewhere."""
    if is_database(source) or not is_database(address):
        raise HubError(
            "a store moves from a file into a postgresql:// database: between databases it is backed up and restored",
            code="not_a_move", field="from" if is_database(source) else "to",
        )  # fmt: skip
    with driver():
        from engine.store.moving.target import target

    file = File(source, buried=True)
    try:
        _check_key(file, address)
        with target(address) as there:
            if file.moved is not None:
                return _ended(file.moved, file, there)
            return _moved(file, there, lanes, tell, at)
    finally:
        file.close()


def _check_key(file: File, address: str) -> None:
    """The database has no file beside it: the key is in the environment, and the source's own."""
    try:
        master_key(address, Shelf(file))
    except HubError as wrong:
        if Path(f"{file.path}.key").exists():
            how = f'export FOLIOHUB_MASTER_KEY="$(cat {file.path}.key)", also for every hub that will run on it'
        else:
            how = "export FOLIOHUB_MASTER_KEY as it was for the hub on this file"
        raise HubError(f"{wrong.message}. {how}", code=wrong.code, field=wrong.field) from None


def _moved(file: File, there: Target, lanes: int, tell: Tell, at: At) -> Move:
    from engine.store.moving.carrying import carry
    from engine.store.moving.proof import compare
    from engine.store.moving.target import Arrival

    begun = datetime.now(UTC)
    token = str(uuid4())
    when = begun.isoformat(timespec="seconds")
    with file.write() as here:
        there.prepare(lanes)
        done = carry(here, there.raw, lanes, tell)
        at("filled", there)
        proof, unlike = compare(_asking(here), there.ask)
        if unlike:
            raise HubError(f"what arrived is not what was sent: {unlike}. Nothing was changed", code="move_unequal")
        there.arriving(Arrival(source=file.path, at=when, token=token, proof=proof))
        there.commit()
        at("arriving", there)
        bury(here, Moved(to=there.name, at=when, token=token))
    at("moved", there)
    there.arrived(token)
    at("lifted", there)
    seconds = (datetime.now(UTC) - begun).total_seconds()
    return Move(source=file.path, to=there.name, rows=sum(done.values()), seconds=seconds, proof=proof)


def _ended(moved: Moved, file: File, there: Target) -> Move:
    if moved.to != there.name:
        raise HubError(
            f"{file.path} has moved to {moved.to} already", code="store_moved", field="from", value=file.path
        )  # fmt: skip
    mark = there.arrived(moved.token)
    return Move(source=file.path, to=there.name, rows=sum(mark.proof.rows.values()), seconds=0.0, proof=mark.proof, before=True)


def _asking(connection: Connection) -> Ask:
    return lambda question: iter(connection.execute(question))
