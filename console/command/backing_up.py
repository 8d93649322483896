"""`foliohub backup` and `foliohub restore`: a whole copy while hubs go on, and a store made from one, which asks before it pays."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from console.command.options import Config, Json, Store, existing_store
from console.command.showing import print_json
from engine.backup import back_up
from engine.backup import restore as restored
from engine.store.opening import is_database


def backup(
    to: Annotated[str, typer.Option("--to", help="A file that is not there yet.")],
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Copy the store, whole and as of now, into a new file; hubs go on meanwhile. The master key is not in it.

    Exit 2 when the file is there already or cannot be written, 3 when the store cannot be had.
    """
    made = back_up(existing_store(store, config), to, _tell)
    if as_json:
        print_json(made)
        return
    print(f"{made.to}: {made.engine}, {made.size} bytes of a store of {made.store_size} bytes, as of {made.at}")
    print(f"generation {made.generation}, last decision {made.last_decision}; it was read again and is whole")
    print("the master key is not in it: without that, what is sealed stays sealed. Keep it, and keep it elsewhere")


def restore(
    source: Annotated[str, typer.Option("--from", help="A backup that `foliohub backup` made.")],
    to: Annotated[str, typer.Option("--to", help="A file, or a postgresql:// database, of the backup's engine.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of the store that is there, which is kept beside it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a store from a backup. It is a new generation: payouts stand still from the next start, and requests are asked about.

    Exit 2 when something is there and --replace was not said, or it is no backup; 3 while a hub runs there.
    """
    made = restored(source, to, _tell, replace=replace)
    if as_json:
        print_json(made)
        return
    print(f"{made.to}: restored as of {made.backup_at}, last decision {made.last_decision}")
    if made.kept:
        print(f"what was there is kept as {made.kept}: take it away when you are sure")
    key = "FOLIOHUB_MASTER_KEY" if is_database(to) else f"{made.to}.key or FOLIOHUB_MASTER_KEY"
    print(f"its master key is the one of then: {key}")
    print(
        "at the next start payouts stand still, and what was open is asked about; `foliohub payouts start` when somebody has looked"
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
