"""`foliohub verify`: rebuild what was decided from the log, and compare."""

from __future__ import annotations

import typer

from console.command.beside import opened
from console.command.failing import Exit
from console.command.options import Config, Json, Store, existing_store
from console.command.showing import print_json, table
from engine.settled import RULES
from engine.verify import verify as rebuild


def verify(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """Rebuild all states, transfers, outcomes and timers from the log, and compare them with the store. A hub may go on meanwhile.

    Exit 0 when they agree, 1 when they do not.
    """
    with opened(existing_store(store, config)) as beside:
        found = rebuild(beside.database)
    if as_json:
        print_json(
            {
                "agrees": found.agrees,
                "decisions": found.decisions,
                "compared": found.compared,
                "differences": found.differences,
                "otherwise": found.otherwise,
                "parted": [one._asdict() for one in found.parted],
            }
        )
    else:
        if found.differences:
            rows = [(one.table, one.row, one.field, one.stored, one.rebuilt) for one in found.differences]
            table(("table", "row", "field", "in the store", "from the log"), rows)
        if found.otherwise:
            table(("tenant", "of", "key", "first decided by"), [(*one[:3], f"rules {one.rules}") for one in found.parted])
            print(
                f"{found.otherwise} were decided by other rules; these (rules {RULES}) would decide otherwise, which is no fault. Whether"
                " they are as they were left says the release that decided them, on a backup of its time"
            )
        compared = ", ".join(f"{count} {name}" for name, count in found.compared.items() if count)
        print(
            f"{'agrees' if found.agrees else 'DOES NOT AGREE'}: {found.decisions} decisions taken again; compared {compared or 'nothing'}"
        )
    if not found.agrees:
        raise typer.Exit(Exit.FOUND)
