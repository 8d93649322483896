"""`foliohub migrate`: a store moves from its file into an empty PostgreSQL database, and its file is buried in the same act."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from console.command.options import Config, Json, existing_store
from console.command.showing import print_json, table
from engine.moving import Move, move
from topics.catalogue import INTAKE


def migrate(
    to: Annotated[
        str, typer.Option("--to", help="The database, postgresql://user@host/name; its password in PGPASSWORD or a file.")
    ],
    source: Annotated[str | None, typer.Option("--from", help="The store's file; else that of the configuration.")] = None,
    lanes: Annotated[int, typer.Option("--lanes", min=1, max=4096, help="Of the new store.")] = INTAKE.partitions,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Move everything that a stopped hub's file holds into an empty database, prove that it is all there, and bury the file.

    Killed on the way: say it again. Exit 0 when it has moved, 1 when the proof failed and nothing has happened, 2 when it may not (key,
    target), 3 when a hub runs on the file or the database cannot be had.
    """
    moved = move(existing_store(source, config), to, lanes=lanes, tell=_tell)
    if as_json:
        print_json(moved)
    else:
        _show(moved)


def _tell(name: str, rows: int, seconds: float) -> None:
    """Only what takes its time is worth a line."""
    if seconds >= 1:
        print(f"{name}: {rows} rows, {rows / seconds:.0f} a second", file=sys.stderr)


def _show(moved: Move) -> None:
    proof = moved.proof
    table(("table", ">rows"), ((name, count) for name, count in proof.rows.items() if count))
    print()
    table(("compared", ">rows", "hash"), ((name, stream.rows, stream.hash) for name, stream in proof.streams.items()))
    for name, minor in proof.accounts.items():
        print(f"  {name}: {minor}")
    print(f"requests: {', '.join(f'{count} {state}' for state, count in proof.effects.items()) or 'none'}")
    when = (
        "moved before"
        if moved.before
        else f"moved in {moved.seconds:.1f} s, {moved.rows / max(moved.seconds, 0.001):.0f} rows a second"
    )
    print(f"{when}: the store is {moved.to} now; {moved.source} can be read, and no hub opens it again")
