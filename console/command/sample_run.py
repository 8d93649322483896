"""The sample day around a running hub: the provider beside it, its keys, the day played once, and the table of what was decided."""

from __future__ import annotations

import json
import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from config.loader import address_variable
from config.settings import Configuration
from console.command import sample_day as the
from console.command.showing import table
from console.command.simulator_process import SimulatorProcess, free_port
from engine.store.opening import is_database

if TYPE_CHECKING:
    from engine.hub import Hub

_TIMING: Final[dict[str, Any]] = {
    "deadline_s": 2.0,
    "lease_s": 10.0,
    "query_after_s": (2, 5, 15, 60, 600),
    "pending_after_s": (2, 10, 60, 600),
}
"""Short, so that a silence is cleared up while one watches; a real hub is more patient (docs/configuration.md)."""


SHARED: Final = "var/sample"
"""Where the simulator's books and the day's keys lie when the store is a database."""


class SampleDay:
    """`configuration` is the one to run under: the merchant is at the simulator, silences are short."""

    def __init__(self, configuration: Configuration) -> None:
        merchant = configuration.merchants[the.MERCHANT]
        self._port = _told() or free_port()
        url = f"http://127.0.0.1:{self._port}/ncol/test/"
        self.configuration = msgspec.structs.replace(
            configuration,
            merchants={
                **configuration.merchants,
                the.MERCHANT: msgspec.structs.replace(merchant, base_url=url, environment="test"),
            },
            effects=msgspec.structs.replace(configuration.effects, **_TIMING),
        )

    def start(self, stack: ExitStack, hub: Hub, address: str, stop: threading.Event) -> None:
        """Bring the provider up, play the day if this store does not hold it, and print what was decided."""
        from console.command.sample_play import Interrupted, play, played
        from console.command.sample_told import told

        store = Path(SHARED if is_database(self.configuration.hub.store) else self.configuration.hub.store)
        provider = SimulatorProcess(
            self._port, store.parent / f"{store.stem}-sample", the.SCRIPT, f"{address}/psp/ogone/{the.MERCHANT}"
        )
        stack.callback(provider.stop)
        keys = _keys(hub, Path(f"{store}.sample-keys"))
        if not played(hub):
            print("A campsite's day, through the real doors:")
            try:
                play(hub, address, keys["operator"], keys[the.CHANNEL], provider, _say, stop)
            except Interrupted:
                return
        rows = [(row.folio, row.came, row.decided, row.amount, row.rules) for row in told(hub)]
        print()
        table(("folio", "what came in", "what was decided", ">amount", "rules"), rows)
        _next(address, keys, hub.database.name)


def _told() -> int:
    """The simulator's port, where other processes were told of it by the merchant's variable; 0: they were not."""
    return urlsplit(os.environ.get(address_variable(the.MERCHANT), "")).port or 0


def _keys(hub: Hub, path: Path) -> dict[str, str]:
    """Keys for the day: kept in a file that only its owner reads, since the store has no more than their hashes."""
    from engine.keys import CHANNEL, DoorKeys

    doors = DoorKeys(hub.database)
    if path.is_file():
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        if all(doors.check(known.get(name, "")) for name in ("operator", the.CHANNEL)):
            return known
    made = {
        "operator": doors.add(the.TENANT, "operator", "sample day")[1],
        the.CHANNEL: doors.add(the.TENANT, f"{CHANNEL}{the.CHANNEL}", "sample day")[1],
    }
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file)
    return made


def _say(text: str) -> None:
    print(f"  - {text}", flush=True)


def _next(address: str, keys: dict[str, str], store: str) -> None:
    named = "" if store == "var/foliohub.sqlite" else f" --store {store}"
    commands = (
        (f"explain {the.SILENT}{named}", "every cent of the refund that the provider was silent about"),
        (f"explain {the.NAMESPACE}={the.RESERVATION}{named}", "the channel's reservation, by the channel's own name"),
        (f"ledger check{named}", "is the book true?"),
        (f"verify{named}", "rebuild everything from the log, and compare"),
        ("send FILE --key KEY", "a message of your own: README.md has one"),
    )
    width = max(len(command) for command, _ in commands)
    print("\nWhere to look next, in another terminal:")
    for command, about in commands:
        print(f"  .venv/bin/foliohub {command:{width}}  {about}")
    print(f"Gateway  {address}, described at {address}/schema/openapi.json")
    print(f"Key      {keys['operator']}\n")
