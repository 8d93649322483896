"""`make run-distributed`: the sample day on Kafka and PostgreSQL, with each role a process of its own, until it is stopped.

The servers are private, on loopback, and end with it; nothing is kept but what the sample day writes to var/.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import IO, Final

from engine.transport.kafka.topology import provision
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import ServiceFailed, free_ports, running
from topics.catalogue import TOPICS

ROLES: Final = ("worker", "worker", "effects", "scheduler", "gateway")
SETTINGS: Final = """
[kafka]
bootstrap = "{bootstrap}"
single_node = true

[effects]
deadline_s = 2
lease_s = 10
query_after_s = [2, 5, 15, 60, 600]
pending_after_s = [2, 10, 60, 600]
"""


def main() -> int:
    """0 when it was stopped; 1 when a server or a process could not start, or ended by itself."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foliohub-distributed-")))
        for name in ("postgresql", "kafka"):
            (folder / name).mkdir()
        try:
            print("== PostgreSQL and Kafka start", flush=True)
            database = stack.enter_context(running(PostgreSQL(folder / "postgresql")))
            kafka = stack.enter_context(running(Kafka(folder / "kafka")))
        except ServiceFailed as failed:
            print(failed, file=sys.stderr)
            return 1
        made = provision(kafka.bootstrap, TOPICS, replication=1, min_insync=1)
        print(f"== {len(made)} topics at {kafka.bootstrap}, the store at {database.url}", flush=True)
        environment = _environment(folder, database.database(), kafka.bootstrap)
        processes = []
        for number, role in enumerate(ROLES):
            words = ["run", "--profile", "distributed", "--role", role, "--log", "warning"]
            words += ["--sample-day"] if role == "gateway" else ["--port", "0"]
            processes.append(_started(f"{role} {number}", words, environment))
            stack.callback(_ended, processes[-1])
        while not stop.wait(0.5):
            if any(process.poll() is not None for process in processes):
                print("== a process has ended by itself: everything is stopped", file=sys.stderr)
                return 1
    return 0


def _environment(folder: Path, store: str, bootstrap: str) -> dict[str, str]:
    config = folder / "config"
    shutil.copytree(str(resources.files("config") / "shipped"), config)
    hub = config / "hub.toml"
    hub.write_text(hub.read_text() + SETTINGS.format(bootstrap=bootstrap))
    (port,) = free_ports(1)
    return {
        **os.environ,
        "FOLIOHUB_CONFIG": str(config),
        "FOLIOHUB_STORE": store,
        "FOLIOHUB_MASTER_KEY": os.urandom(32).hex(),
        "FOLIOHUB_MERCHANT_AZUR_BASE_URL": f"http://127.0.0.1:{port}/ncol/test/",
    }


def _started(name: str, words: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "console.command", *words], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    threading.Thread(target=_show, args=(name, process.stdout), daemon=True).start()
    return process


def _show(name: str, lines: IO[bytes]) -> None:
    for line in lines:
        print(f"{name:12} {line.decode(errors='replace').rstrip()}", flush=True)


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
