"""A platform: `foliohub run` in its roles, as processes of their own, on real servers, with the provider's simulator beside them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import date
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import requests
from psycopg.rows import dict_row

from benchmarks.messages import PAID, message, order, payid
from connectors.psp.ogone.simulator.accounts import SANDBOX
from connectors.psp.ogone.simulator.books import Books
from engine.keys import DoorKeys
from engine.store.postgresql.database import Database
from engine.transport.amqp.link import LINK_ERRORS
from engine.transport.amqp.topology import Partitions, make_partitions
from tests.kills.forker import Forker
from tests.services.amqp_tools import channel, wait_until
from tests.services.processes import free_ports

MASTER = "5f" * 32
SETTINGS = """
[effects]
deadline_s = 2
lease_s = 4
query_after_s = [0.2, 0.5, 1, 2, 4]
pending_after_s = [0.2, 0.5, 1, 2]
per_second = 1000
concurrency = 8
breaker_failures = 1000
"""
KAFKA = """
[kafka]
bootstrap = "{bootstrap}"
group = "{group}"
session_s = 6
single_node = true
"""
AMQP = """
[amqp]
url = "{url}"
password = {{ env = "BROKER_PASSWORD" }}
exchange = "{name}.outcomes"

[[amqp.intake]]
queue = "{name}.intake"
partitions = {partitions}
"""
PARTITIONS = 4


class Platform:
    """Made with its configuration and its simulator; `start` roles, signal them, feed it. `kafka`, `amqp`: the brokers, "" for none.

    `beside`: the same store by a way of our own, for looking at it while the hub's may be cut. One thread may `mend` while another
    starts and stops.
    """

    def __init__(self, folder: Path, forker: Forker, store: str, kafka: str = "", amqp: str = "", *, beside: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.forker, self.store, self.kafka, self.amqp = folder, forker, store, kafka, amqp
        self.beside = beside or store
        self.name = f"platform-{os.urandom(4).hex()}"
        self.pids: dict[str, int] = {}
        self._parents: dict[int, Forker] = {}
        self.urls: dict[str, str] = {}
        (provider_port,) = free_ports(1)
        self.provider, self.books = f"http://127.0.0.1:{provider_port}", folder / "books.sqlite"
        Books(self.books).close()
        self.environment = self._configure()
        words = ["simulator", "ogone", "--with-parent", "--port", str(provider_port), "--books", str(self.books)]
        self.provider_pid = forker.start(words[:2] + words[3:], self.environment, folder / "provider.log")
        self._key = ""
        self._number = 0

    def _configure(self) -> dict[str, str]:
        config = self.folder / "config"
        shutil.copytree(str(resources.files("config") / "shipped"), config)
        hub = config / "hub.toml"
        said = hub.read_text() + SETTINGS
        if self.kafka:
            said += KAFKA.format(bootstrap=self.kafka, group=self.name)
        if self.amqp:
            said = said.replace('"pms.thais"', f'"{self.pms}"')  # a queue of its own on the broker that all share
            said += AMQP.format(url=self.amqp.replace("guest:guest@", "guest@"), name=self.name, partitions=PARTITIONS)
            make_partitions(self.amqp, [self.intake])
        hub.write_text(said)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "FOLIOHUB_CONFIG": str(config),
            "BROKER_PASSWORD": "guest",
            "FOLIOHUB_STORE": self.store,
            "FOLIOHUB_MASTER_KEY": MASTER,
            "FOLIOHUB_MERCHANT_AZUR_BASE_URL": f"{self.provider}/ncol/test/",
        }

    @property
    def intake(self) -> Partitions:
        """Where messages enter by AMQP: the exchange's name, and the queues behind it."""
        return Partitions(name=f"{self.name}.intake", count=PARTITIONS, kind="x-modulus-hash")

    @property
    def pms(self) -> str:
        """The queue that outcomes come out by."""
        return f"{self.name}.pms"

    def laid(self) -> bool:
        """Whether the hub has declared what it publishes to."""
        with channel(self.amqp) as at:
            try:
                at.queue_declare(self.pms, passive=True)
            except LINK_ERRORS:
                return False
        return True

    def swept(self) -> None:
        """Nothing of it is left at the AMQP broker."""
        with channel(self.amqp) as at:
            for queue in (self.pms, self.intake.readers, *self.intake.queues()):
                at.queue_delete(queue)
            for exchange in (self.intake.name, f"{self.name}.outcomes"):
                at.exchange_delete(exchange)

    # -- processes -------------------------------------------------------------------------------------------------------------

    def start(self, role: str, name: str = "", forker: Forker | None = None) -> str:
        """Start a process of this role; its name. Returns at once. `forker`: of another release."""
        self._number += 1
        name = name or f"{role}-{self._number}"
        (port,) = free_ports(1)
        words = ["run", "--profile", "distributed", "--port", str(port), "--role", role]
        self.urls[name] = f"http://127.0.0.1:{port}"
        parent = forker or self.forker
        self.pids[name] = parent.start(words, self.environment, self.folder / f"{name}.log")
        self._parents[self.pids[name]] = parent
        return name

    def ready(self, names: Iterable[str] = (), timeout_s: float = 60) -> None:
        """Until these (all) say that they are ready."""
        for name in list(names) or list(self.pids):
            try:
                wait_until(lambda name=name: self.is_ready(name), f"{name} is ready", timeout_s)
            except AssertionError as late:
                raise AssertionError(f"{late}: {self.log(name)}") from None

    def is_ready(self, name: str) -> bool:
        try:
            return requests.get(f"{self.urls[name]}/ready", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def signal(self, name: str, number: int) -> None:
        os.kill(self.pids[name], number)

    def kill(self, name: str) -> None:
        """SIGKILL; returns when it is gone."""
        self.signal(name, signal.SIGKILL)
        self.gone(name)

    def stop(self, name: str, timeout_s: float = 20) -> float:
        """SIGTERM; the seconds that it took to end well."""
        began = time.monotonic()
        pid = self.pids.pop(name)
        os.kill(pid, signal.SIGTERM)
        status = self._ended(pid, timeout_s)
        if status is None:
            self.pids[name] = pid  # whoever closes the platform ends it
        assert status == 0, f"{name} ended with {status}: {self.log(name)}"
        return time.monotonic() - began

    def gone(self, name: str, timeout_s: float = 20) -> int:
        """Until it has ended; its exit status."""
        status = self._ended(self.pids[name], timeout_s)
        assert status is not None, f"{name} has not ended: {self.log(name)}"
        del self.pids[name]
        return status

    def refused(self, role: str) -> tuple[int, str]:
        """A process that cannot go on: its exit status, and what it said."""
        name = self.start(role)
        return self.gone(name, 40), self.log(name)

    def ended(self) -> list[str]:
        """Processes that ended by themselves: whoever looks after them starts them again."""
        return [name for name, pid in list(self.pids.items()) if self._ended(pid, 0) is not None]

    def _ended(self, pid: int, timeout_s: float) -> int | None:
        return self._parents.get(pid, self.forker).ended(pid, timeout_s)

    def mend(self) -> dict[str, int]:
        """Start again what ended by itself, under its name; how each ended."""
        ended = {}
        for name in self.ended():
            pid = self.pids.pop(name, 0)
            status = self._ended(pid, 0) if pid else None
            if status is not None:
                ended[name] = status
                self.start(name.rpartition("-")[0], name)
        return ended

    def log(self, name: str) -> str:
        """The end of what a process wrote."""
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def close(self) -> None:
        """Everything ends; nothing is asserted."""
        for pid in [*self.pids.values(), self.provider_pid]:
            for number in (signal.SIGCONT, signal.SIGKILL):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    break
            self._ended(pid, 10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- feeding ---------------------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """A key of the gateway that may do everything."""
        if not self._key:
            with closing(Database(self.beside, writer=False)) as database:
                self._key = DoorKeys(database).add("azur", "operator")[1]
        return self._key

    def paid(self, stays: Sequence[str]) -> None:
        """Each of these stays has its payment at the provider."""
        now_ms = time.time_ns() // 1_000_000
        with closing(Books(self.books)) as books, books.transaction():
            for stay in stays:
                found = books.add_payment(SANDBOX.pspid, order(stay), "EUR", now_ms, payid(stay))
                books.add_operation(found.payid, "SAL", PAID, "9", "merchant", now_ms)

    def send(self, gateway: str, events: Sequence[bytes], wait: str = "", timeout_s: float = 40) -> list[dict[str, Any]]:
        """Post a batch; the receipts. Raises requests' errors: nothing is known of it then, and it is to be sent again."""
        answer = requests.post(
            f"{self.urls[gateway]}/messages", data=b"[" + b",".join(events) + b"]", params={"wait": wait} if wait else {},
            headers={"Content-Type": "application/cloudevents-batch+json", "Authorization": f"Bearer {self.key}"}, timeout=timeout_s,
        )  # fmt: skip
        answer.raise_for_status()
        told: list[dict[str, Any]] = answer.json()["receipts"]
        return told

    def story(self, stays: Sequence[str], step: int) -> list[bytes]:
        """One of the four messages of each of these stays: booked, paid, cancellation asked for, confirmed."""
        return [message(step, stay, date.today()) for stay in stays]

    # -- what is seen ----------------------------------------------------------------------------------------------------------

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the store."""
        with psycopg.connect(self.beside, options="-c search_path=foliohub", row_factory=dict_row) as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def count(self, sql: str, *values: object) -> int:
        """The only number."""
        (row,) = self.rows(sql, *values)
        return int(next(iter(row.values())))

    def provider_rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the provider's books."""
        with closing(sqlite3.connect(f"file:{self.books}?mode=ro", uri=True, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]

    def decided(self, name: str, count: int, timeout_s: float = 60) -> None:
        """Until so many messages of this name are."""
        sql = "SELECT count(*) FROM decision WHERE name = %s AND result = 'decided'"
        wait_until(lambda: self.count(sql, name) == count, f"{count} {name} are decided", timeout_s)

    def quiet(self, stays: int, timeout_s: float = 60) -> None:
        """Until every stay's refund is executed and nothing waits."""

        def done() -> bool:
            return (
                self.count("SELECT count(*) FROM effect WHERE state IN ('confirmed', 'refused', 'needs_person')") >= stays
                and self.count("SELECT count(*) FROM internal WHERE decision = 0") == 0
                and (not self.kafka or self.count("SELECT count(*) FROM outbox_waiting") == 0)
            )

        try:
            wait_until(done, f"{stays} refunds are executed", timeout_s)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self._state()}") from None  # as it is now, not as it was

    def _state(self) -> str:
        decided = self.rows("SELECT name, result, count(*) AS n FROM decision GROUP BY 1, 2 ORDER BY 1, 2")
        effects = self.rows("SELECT state, count(*) AS n FROM effect GROUP BY 1")
        waiting = self.rows(
            "SELECT (SELECT count(*) FROM internal WHERE decision = 0) AS internal, (SELECT count(*) FROM outbox_waiting)"
            " AS outbox, (SELECT count(*) FROM effect WHERE needs_approval = 1) AS unapproved"
        )
        lanes = self.rows("SELECT lane, epoch, next_offset, deaths, trying FROM lane ORDER BY lane")
        return json.dumps([decided, effects, waiting, lanes], default=str)[:4000]
