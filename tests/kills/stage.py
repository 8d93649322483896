"""One hub on one store with its provider beside it: configuration, keys, starts, signals, and what its files say.

The simulator is started once and never killed. The hub is `foliohub run`, started as often as it dies.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Self

import requests

from engine.keys import DoorKeys
from engine.store.sqlite.database import Database
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.processes import free_ports

SILENT, PENDING, UNCERTAIN, SLOW, RESET, NEVER, LATE = 7001, 7002, 7003, 7004, 7005, 7006, 7007
"""Refunds of these amounts are special; see SCRIPT."""
OPEN = "state NOT IN ('confirmed', 'refused', 'reversed', 'needs_person')"
"""Requests that the hub will go on with by itself."""
AGAIN = {"tries": 5, "retry_s": 0.4}
SCRIPT: dict[str, Any] = {
    "about": "A refund's amount says what becomes of it.",
    "callbacks": AGAIN,
    "rules": [
        {"when": {"amount": SILENT}, "answer": "silence", "callbacks": {"repeat": 2, "delay_s": 0.2, **AGAIN}},
        {"when": {"amount": PENDING}, "status": "81", "then": [{"after_s": 0.3, "status": "8"}]},
        {"when": {"amount": UNCERTAIN}, "status": "92", "then": [{"after_s": 0.3, "status": "8"}]},
        {"when": {"amount": SLOW}, "answer_after_s": 0.2, "callbacks": {"send": False}},
        {"when": {"amount": RESET}, "answer": "reset"},
        {"when": {"amount": NEVER}, "act": "never", "answer": "silence"},
        {"when": {"amount": LATE}, "act": "after_query", "act_after_s": 0.1, "answer": "silence"},
    ],
}
for rule in SCRIPT["rules"]:
    rule["when"] |= {"endpoint": "maintenance", "operation": ["RFD", "RFS"]}

SETTINGS = """
[effects]
deadline_s = {deadline}
lease_s = {lease}
query_after_s = [0.05, 0.1, 0.2, 0.3]
pending_after_s = [0.1, 0.2, 0.3, 0.5, 1, 2]
per_second = 1000
breaker_failures = 1000
"""
BROKER = """
[amqp]
url = "{url}"
password = {{ env = "BROKER_PASSWORD" }}
exchange = "{name}.outcomes"

[[amqp.intake]]
queue = "{name}.intake"
"""


class Control:
    """What the test says to one hub process about its points."""

    def __init__(self) -> None:
        self._listens = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listens.getsockname()[1]
        self._link: socket.socket | None = None

    def begin(self, point: str = "", nth: int = 1) -> None:
        """The process has been started: what it is to stand at, if anything."""
        self._listens.settimeout(20)
        self._link = self._listens.accept()[0]
        self.arm(point, nth)

    def arm(self, point: str, nth: int = 1) -> None:
        """Stand at this point, the n-th time that it is reached from now on."""
        self._say({"at": point, "nth": nth})

    def stands(self, timeout_s: float) -> bool:
        """Whether it has come to the point in time."""
        assert self._link is not None
        self._link.settimeout(timeout_s)
        try:
            return bool(self._link.recv(200))
        except TimeoutError:
            return False

    def go(self) -> None:
        """Go on."""
        self._say({"go": True})

    def close(self) -> None:
        for one in (self._link, self._listens):
            if one is not None:
                one.close()

    def _say(self, word: dict[str, Any]) -> None:
        assert self._link is not None
        self._link.sendall(json.dumps(word).encode() + b"\n")


class Stage:
    """Made with its configuration and its simulator; `start` and `strike` as often as wanted."""

    def __init__(
        self,
        folder: Path,
        forker: Forker,
        amqp: str = "",
        *,
        deadline_s: float = 0.5,
        lease_s: float = 0.7,
        script: dict[str, Any] = SCRIPT,
    ) -> None:
        folder.mkdir()
        self.folder, self.forker, self.amqp, self.name = folder, forker, amqp, folder.name
        self.port, self.provider_port = free_ports(2)
        self.url, self.provider = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.provider_port}"
        self.store, self.books = folder / "hub.sqlite", folder / "books.sqlite"
        self.pid: int | None = None
        self.control: Control | None = None
        self.environment = self._configure(deadline_s, lease_s)
        (folder / "script.json").write_text(json.dumps(script))
        provider = ["simulator", "ogone", "--port", str(self.provider_port), "--script", str(folder / "script.json")]
        provider += ["--books", str(self.books), "--callback-url", f"{self.url}/psp/ogone/azur"]
        self.provider_pid = forker.start(provider, self.environment, folder / "provider.log")
        self.keys: dict[str, str] = {}

    def _configure(self, deadline_s: float, lease_s: float) -> dict[str, str]:
        config = self.folder / "config"
        shutil.copytree(str(resources.files("config") / "shipped"), config)
        hub = config / "hub.toml"
        said = hub.read_text() + SETTINGS.format(deadline=deadline_s, lease=lease_s)
        if self.amqp:
            said = said.replace('"pms.thais"', f'"{self.name}.pms"')  # a queue of its own on the broker that all share
            said = said.replace('outcomes = ["booking"', 'outcomes = ["effect", "booking"')  # and all that is said of folios
            assert '["effect"' in said
            said += BROKER.format(url=self.amqp.replace("guest:guest@", "guest@"), name=self.name)
        hub.write_text(said)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "BROKER_PASSWORD": "guest",
            "FOLIOHUB_CONFIG": str(config),
            "FOLIOHUB_STORE": str(self.store),
            "FOLIOHUB_MERCHANT_AZUR_BASE_URL": f"{self.provider}/ncol/test/",
        }

    # -- the process -----------------------------------------------------------------------------------------------------------

    def start(self, point: str = "", nth: int = 1, *, plain: bool = False) -> None:
        """Start the hub, which is to stand at `point`; returns at once. `plain`: without any point laid into it."""
        assert self.pid is None
        self.control = None if plain else Control()
        run = ["run", "--port", str(self.port)]
        control = self.control.port if self.control is not None else 0
        self.pid = self.forker.start(run, self.environment, self.folder / "hub.log", control)
        if self.control is not None:
            self.control.begin(point, nth)

    def ready(self, timeout_s: float = 20) -> None:
        """Until it takes requests."""
        wait_until(
            lambda: _asked(f"{self.provider}/admin/health") and _asked(f"{self.url}/ready"), f"{self.name} is ready", timeout_s
        )
        if not self.keys:
            if self.amqp:  # its queues are made
                wait_until(
                    lambda: _asked(f"{self.url}/ready").get("broker") == "connected", f"{self.name} reads its queue", timeout_s
                )
            with closing(Database(str(self.store), writer=False)) as database:
                self.keys = {scope: DoorKeys(database).add("azur", scope)[1] for scope in ("messages", "read", "operator")}

    def signal(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)

    def gone(self, timeout_s: float = 10) -> int:
        """Until it has ended; its exit status."""
        assert self.pid is not None
        status = self.forker.ended(self.pid, timeout_s)
        if status is None:
            self.signal(signal.SIGUSR1)
            time.sleep(0.5)
            raise AssertionError(f"{self.name}: the hub has not ended: {self.log(20_000)}")
        if self.control is not None:
            self.control.close()
        self.pid = self.control = None
        return status

    def stop(self) -> None:
        """The hub ends in good order."""
        self.signal(signal.SIGTERM)
        status = self.gone()
        assert status == 0, f"{status}: {self.log()}"

    def foliohub(self, *words: str) -> str:
        """What a command prints that looks at the store; it must end well."""
        said = self.folder / "command.log"
        said.unlink(missing_ok=True)
        pid = self.forker.start(list(words), self.environment, said)
        assert self.forker.ended(pid, 60) == 0, said.read_text()
        return said.read_text()

    def close(self) -> None:
        """Both processes end in good order."""
        if self.pid is not None:
            self.stop()
        os.kill(self.provider_pid, signal.SIGTERM)
        assert self.forker.ended(self.provider_pid, 10) == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        for pid in (self.pid, self.provider_pid):  # it failed: nothing of it is left running
            if pid is not None:
                os.kill(pid, signal.SIGKILL)

    def log(self, most: int = 3_000) -> str:
        """The end of what the hub wrote."""
        return (self.folder / "hub.log").read_text()[-most:]

    # -- what the files say ----------------------------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The store beside a running hub, read only."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the store."""
        with self.read() as connection:
            return [dict(row) for row in connection.execute(sql, values)]

    @contextmanager
    def image(self) -> Iterator[sqlite3.Connection]:
        """What a dead or stopped hub has left on the disk: a copy, so that recovery is left to the next start."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            copy = Path(place) / "hub.sqlite"
            for end in ("", "-wal"):
                if (source := self.store.with_name(self.store.name + end)).exists():
                    shutil.copyfile(source, copy.with_name(copy.name + end))
            with closing(sqlite3.connect(copy)) as connection:
                connection.row_factory = sqlite3.Row
                yield connection

    def provider_rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the provider's books."""
        with closing(sqlite3.connect(f"file:{self.books}?mode=ro", uri=True, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]


def _asked(url: str) -> dict[str, Any]:
    """What it says if it is well, nothing if it is not or cannot be reached."""
    try:
        answer = requests.get(url, timeout=2)
    except requests.RequestException:
        return {}
    return dict(answer.json()) if answer.status_code == 200 else {}
