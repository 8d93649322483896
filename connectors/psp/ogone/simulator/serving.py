"""The simulator as a process of its own: what `foliohub simulator ogone` runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.psp.ogone.simulator.accounts import SimulatorAccount
from connectors.psp.ogone.simulator.server import Simulator


def serve(
    *,
    script: Path | None,
    port: int,
    books: Path,
    host: str = "127.0.0.1",
    accounts: Sequence[SimulatorAccount] = (),
    callback_url: str = "",
    announce: Callable[[str], None] = print,
) -> int:
    """Serves until SIGINT or SIGTERM; 0 then. Runs in a process's main thread. `announce` is told the address, once, when the
    port is open. Raises ScriptError for a script that cannot be played, OSError for a port that is taken."""
    simulator = Simulator(script, books, host, port, accounts, callback_url)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with simulator:
        announce(simulator.base_url)
        stop.wait()
    return 0
