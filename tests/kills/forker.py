"""A process that has imported the hub once and forks a `foliohub` for each start: a real process each, for a tenth of the price.

Run as a script it serves its standard input, a JSON object a line. What it forks ends with it, and it ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
READY = "ready"


class Forker:
    """The test's end of it. Thread-safe. `root`: the tree whose hub it is. `clock`: the file that moves its clock (`skew`)."""

    def __init__(self, root: Path = ROOT, clock: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._clock = str(clock or "")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.forker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=root,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == READY

    def start(self, arguments: list[str], environment: dict[str, str], log: Path, control: int = 0) -> int:
        """`foliohub` with these arguments; its process. Named points are laid into it if there is a port of `control` (see `points`)."""
        told = {"start": arguments, "environment": environment, "log": str(log), "control": control, "clock": self._clock}
        return int(self._asked(told)["pid"])

    def ended(self, pid: int, timeout_s: float) -> int | None:
        """Its exit status (negative: the signal), None if it has not ended in time."""
        until = time.monotonic() + timeout_s
        while True:
            status = self._asked({"ended": pid})["status"]
            if status is not None or time.monotonic() > until:
                return None if status is None else int(status)
            time.sleep(0.005)

    def _asked(self, told: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def serve() -> dict[str, Any]:
    """Fork what is asked for until standard input ends. Returns only in a child, with what it is to be."""
    children: set[int] = set()
    statuses: dict[int, int] = {}
    print(READY, flush=True)
    for line in sys.stdin:
        told: dict[str, Any] = json.loads(line)
        if "start" in told:
            pid = os.fork()
            if pid == 0:
                return told
            children.add(pid)
            answer: dict[str, Any] = {"pid": pid}
        else:
            pid = told["ended"]
            if pid in children:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    children.remove(pid)
                    statuses[pid] = os.waitstatus_to_exitcode(status)
            answer = {"status": statuses.get(pid)}
        print(json.dumps(answer), flush=True)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    sys.exit(0)


def become(told: dict[str, Any]) -> None:
    """This process is a `foliohub` from now on, as if it had been started from a shell."""
    from console.command.main import main
    from tests.kills import points, skew

    with Path(os.devnull).open("rb") as nothing, Path(told["log"]).open("ab") as log:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    faulthandler.register(signal.SIGUSR1)  # where each thread stands, for whoever finds it stuck
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = ["foliohub", *told["start"]]
    if told["clock"]:
        skew.lay(told["clock"])
    if told["control"]:
        points.lay(told["control"])
    main()


if __name__ == "__main__":
    for slow in ("console.command.main", "console.gateway.server", "engine.connectors", "engine.hub", "engine.serving"):
        importlib.import_module(slow)  # what `foliohub run` and the simulator import, once for all children
    become(serve())
