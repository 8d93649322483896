"""The hub and the provider's simulator as processes of their own, how busy and how large they are, and a provider's books."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.messages import MERCHANT, PAID, REFUND, TENANT, order, payid
from config.loader import SHIPPED, address_variable, load
from config.settings import Configuration
from connectors.psp.ogone.simulator.accounts import SANDBOX
from connectors.psp.ogone.simulator.books import Books
from engine.hub import Hub
from engine.keys import DoorKeys

START_S: Final = 30.0
STOP_S: Final = 10.0
STILL_S: Final = 60.0
_MEMORY: Final = Path("/dev/shm")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid: int, *, ended: bool = False) -> float:
    """Seconds of processor time that a process has taken so far; `ended`: with those of its children that it has seen end."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if ended else 13])) / _TICKS


class Process:
    """One command of ours, running; `said` is the first line that it printed. Its errors go to a log in `folder`."""

    def __init__(self, name: str, folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "console.command", *words],
                env={**os.environ, **(environ or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        try:
            self.said = self._first_line()
        except BaseException:
            self.stop()
            raise

    def _first_line(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        line = self._process.stdout.readline().decode() if ready else ""
        assert line, f"{self._process.args!r} said nothing:\n{self.log.read_text(encoding='utf-8')[-3000:]}"
        return line.strip()

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """Seconds of processor time so far."""
        return cpu_s(self.pid)

    def resident_mb(self) -> float:
        """Resident memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 1e6

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end, then insist. Raises AssertionError if it did not end well."""
        self._process.terminate()
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        assert code == 0, f"{self._process.args!r} ended with {code}:\n{self.log.read_text(encoding='utf-8')[-3000:]}"

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.stop()
            return
        with contextlib.suppress(AssertionError):
            self.stop()


class Provider:
    """The Ogone simulator on books in which every one of these stays is paid; it accepts everything and calls nobody back.

    A provider's disk is not ours: its books lie in memory where the system has a file system for that, unless they may grow large."""

    def __init__(self, folder: Path, stays: Sequence[str], *, large: bool = False) -> None:
        elsewhere = _MEMORY if _MEMORY.is_dir() and not large else folder
        self._folder = Path(tempfile.mkdtemp(prefix="bench-ogone-", dir=elsewhere))
        self._path = self._folder / "books.sqlite"
        books = Books(self._path)
        with books.transaction():
            for stay in stays:
                paid = books.add_payment(SANDBOX.pspid, order(stay), "EUR", _now_ms(), payid(stay))
                books.add_operation(paid.payid, "SAL", PAID, "9", "merchant", _now_ms())
        books.close()
        self.process = Process("ogone", folder, "simulator", "ogone", "--with-parent", "--port", "0", "--books", str(self._path))
        self.base_url = self.process.said

    def agrees(self, stays: Sequence[str]) -> None:
        """Each of these stays was given back its refund once, and no other anything. Raises AssertionError."""
        found, wanted = self.refunds(), {payid(stay): [REFUND] for stay in stays}
        wrong = {name: found.get(name, []) for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)}
        assert not wrong, f"the provider's books differ for {len(wrong)} payments, by PAYID: {dict(list(wrong.items())[:5])}"

    def refunds(self) -> dict[str, list[int]]:
        """What was refunded of each payment, by PAYID: minor units of every refund that stands, in order."""
        found: dict[str, list[int]] = {}
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as books:
            rows = books.execute(
                "SELECT payid, minor, status FROM operations WHERE operation IN ('RFD', 'RFS') ORDER BY payid, level"
            )
            for reference, minor, status in rows:
                assert status == "8", (reference, minor, status)
                found.setdefault(reference, []).append(minor)
        return found

    def calls(self) -> int:
        """Requests that came so far."""
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as books:
            return int(books.execute("SELECT count(*) FROM requests").fetchone()[0])

    def logged(self) -> list[dict[str, str]]:
        """The fields of every request that came, without secrets, in order."""
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as books:
            return [json.loads(row[0]) for row in books.execute("SELECT fields FROM requests ORDER BY id")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.process.__exit__(kind, error, trace)
        finally:
            shutil.rmtree(self._folder)


class HubProcess:
    """`foliohub run` on a store of its own, its merchant at this provider; `key` may say everything to it."""

    def __init__(self, folder: Path, provider: Provider, threads: int) -> None:
        config, settings = configuration(folder, provider.base_url, threads)
        self.store = folder / "hub.sqlite"
        hub = Hub(settings, str(self.store), {})
        _, self.key = DoorKeys(hub.database).add(TENANT, "operator", "bench")
        hub.close()
        environ = {address_variable(MERCHANT): provider.base_url}
        words = ("run", "--port", "0", "--store", str(self.store), "--config", str(config), "--log", "error")
        self.process = Process("hub", folder, *words, environ=environ)
        found = re.search(r"http://([0-9.]+):([0-9]+)", self.process.said)
        assert found is not None, self.process.said
        self.host, self.port = found[1], int(found[2])

    def settled(self, refunds: int) -> None:
        """Wait until so many refunds have been told as executed. Raises AssertionError when nothing moves any more."""
        before, moved = -1, time.monotonic()
        while (left := self.open_effects()) or self.told() < refunds:
            if left != before:
                before, moved = left, time.monotonic()
            assert time.monotonic() - moved < STILL_S, f"{left} requests are open and nothing has moved for {STILL_S:g} s"
            time.sleep(0.2)
        assert self.told() == refunds, (self.told(), refunds)

    def told(self) -> int:
        """Refunds that were told as executed."""
        return self.counted("SELECT count(*) FROM outbox WHERE name = 'refund.executed'")

    def open_effects(self) -> int:
        """Requests to the provider that are not settled yet."""
        return self.counted("SELECT count(*) FROM effect WHERE state IN ('planned', 'sending', 'accepted', 'unknown')")

    def decided(self) -> int:
        """Messages of the intake that have been decided."""
        return self.counted("SELECT sum(next_offset) FROM lane")

    def counted(self, statement: str) -> int:
        """One number out of its store, beside it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=5)) as store:
            return int(store.execute(statement).fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.__exit__(kind, error, trace)


def configuration(folder: Path, provider: str, threads: int) -> tuple[Path, Configuration]:
    """The shipped configuration with its merchant at this provider, at a pace that is no limit: as a folder, and loaded."""
    made = folder / "config"
    if not made.exists():
        shutil.copytree(SHIPPED, made)
        with (made / "hub.toml").open("a", encoding="utf-8") as hub:
            hub.write(f"\n[effects]\nconcurrency = {threads}\nper_second = 1000\n")
    return made, load(made, {address_variable(MERCHANT): provider})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
