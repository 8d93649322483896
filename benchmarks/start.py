"""A hub on a large store: how soon it listens and decides, how long its doors and commands take, how it stops.

A few thousand stays are decided by a hub, then multiplied (`benchmarks.multiplying`) until the store is as large as asked for. Before
each cold start the system is asked to forget the file. The oldest stays are older than the hub recognises what comes again, so that its
first housekeeping has something to do.

    make bench ARGS="--only start --gb 10"
"""

from __future__ import annotations

import http.client
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import msgspec

from benchmarks.live import today
from benchmarks.messages import MERCHANT, REFUND, message
from benchmarks.multiplying import Store, made
from benchmarks.processes import Process, Provider, configuration
from benchmarks.setting import Figures, Setting
from config.loader import address_variable
from engine.store.reading import Reading
from engine.store.sqlite.database import Database

_TIMES = 15  # each door is asked so often; the median counts
_SETTLE_S = 60.0


class Running:
    """`foliohub run` on a large store; `listens_s`: seconds from the start of the process until it said so."""

    def __init__(self, store: Store, provider: Provider, *, cold: bool) -> None:
        config, _ = configuration(store.folder, provider.base_url, 4)
        if cold:
            forgotten(store.path)
        words = ("run", "--port", "0", "--store", str(store.path), "--config", str(config), "--log", "warning")
        self.begun = time.perf_counter()
        self.process = Process("hub", store.folder, *words, environ={address_variable(MERCHANT): provider.base_url})
        self.listens_s = self.since()
        address = self.process.said.partition("http://")[2].partition(";")[0]
        self.connection = http.client.HTTPConnection(address, timeout=120)
        self._headers = {"Authorization": f"Bearer {store.key}", "Content-Type": "application/cloudevents+json"}

    def since(self) -> float:
        return time.perf_counter() - self.begun

    def asked(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The answer, which is a good one. Raises AssertionError."""
        self.connection.request(method, path, body, self._headers)
        answer = self.connection.getresponse()
        told = answer.read()
        assert answer.status == HTTPStatus.OK, (method, path, answer.status, told[:500])
        return told

    def decided(self, step: int, name: str) -> tuple[float, list[str]]:
        """Say one of a stay's messages; seconds until it was decided, and what came of it."""
        begun = time.perf_counter()
        told = msgspec.json.decode(self.asked("POST", "/messages?wait=30s", message(step, name, today())))
        return time.perf_counter() - begun, [outcome["type"].removeprefix("foliohub.") for outcome in told["outcomes"]]

    def median_s(self, path: str) -> float:
        """How long the answer to a question takes, the first time apart."""
        self.asked("GET", path)
        waits = []
        for _ in range(_TIMES):
            begun = time.perf_counter()
            self.asked("GET", path)
            waits.append(time.perf_counter() - begun)
        return statistics.median(waits)

    def stopped(self) -> float:
        """Seconds from SIGTERM to its end, which is a good one."""
        begun = time.perf_counter()
        self.connection.close()
        self.process.stop()
        return time.perf_counter() - begun

    def killed(self) -> None:
        """SIGKILL, with whatever is in its log."""
        self.connection.close()
        self.process.kill()


def forgotten(path: Path) -> None:
    """Ask the system to keep nothing of a file in memory: the next read goes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(store: Store, setting: Setting) -> Figures:
    """All figures of one store, which is used up by it. Raises AssertionError for anything that is not as it should be."""
    say, luck = setting.say, random.Random(f"fresh {setting.seed}")
    fresh = f"{luck.getrandbits(64):016x}"
    size = store.path.stat().st_size
    with Provider(store.folder, [fresh, store.original, store.copied]) as provider:
        new_s = _new(store, provider)
        hub = Running(store, provider, cold=True)
        cold_s = hub.listens_s
        hub.decided(0, fresh)
        decided_s, cpu_s, begun_mb = hub.since(), hub.process.cpu_s(), hub.process.resident_mb()
        longest_s = _busy(hub, luck, setting.big_watch_s)
        say(f"listens after {cold_s:.2f} s (on a new store {new_s:.2f} s), decides after {decided_s:.2f} s, of which {cpu_s:.2f} s at"
            f" work; {begun_mb:.0f} MB; the longest decision of the next seconds took {1000 * longest_s:.0f} ms")  # fmt: skip
        doors = {name: hub.median_s(path) for name, path in _doors(store)}
        say("doors, ms: " + ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in doors.items()))
        stay_s = max(_stay(hub, name, whole=name is fresh) for name in (fresh, store.copied, store.original))
        commands = {name: _command(store, *words) for name, words in _commands(store)}
        say("commands, s: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in commands.items()))
        used_mb = hub.process.resident_mb()
        stop_s = hub.stopped()
        hub = Running(store, provider, cold=False)
        warm_s = hub.listens_s
        _busy(hub, luck, setting.big_watch_s)
        hub.killed()
        log_mb = Path(f"{store.path}-wal").stat().st_size / 1e6
        hub = Running(store, provider, cold=True)
        say(f"stops in {stop_s:.2f} s with {used_mb:.0f} MB, warm start {warm_s:.2f} s, cold start after a kill with a log of"
            f" {log_mb:.0f} MB {hub.listens_s:.2f} s")  # fmt: skip
        hub.stopped()
        provider.agrees([fresh, store.copied, store.original])
    return {
        "start_gb": round(size / 1e9, 3),
        "start_new_s": round(new_s, 2),
        "start_cold_s": round(cold_s, 2),
        "start_decided_s": round(decided_s, 2),
        "start_cpu_s": round(cpu_s, 2),
        "start_warm_s": round(warm_s, 2),
        "start_killed_s": round(hub.listens_s, 2),
        "start_longest_ms": round(1000 * longest_s, 1),
        "start_mb": round(begun_mb, 1),
        "start_used_mb": round(used_mb, 1),
        "start_stay_s": round(stay_s, 2),
        "start_door_ms": round(1000 * max(doors.values()), 1),
        "start_command_s": round(max(commands.values()), 2),
        "start_stop_s": round(stop_s, 2),
    }


def _new(store: Store, provider: Provider) -> float:
    """Seconds until a hub listens on a new store: what a start takes whatever there is."""
    hub = Running(store._replace(path=store.folder / "new.sqlite"), provider, cold=False)
    hub.stopped()
    return hub.listens_s


def _busy(hub: Running, luck: random.Random, seconds: float) -> float:
    """The longest of many decisions, one after the other."""
    longest, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        longest = max(longest, hub.decided(0, f"{luck.getrandbits(64):016x}")[0])
    return longest


def _stay(hub: Running, name: str, *, whole: bool) -> float:
    """A payment if it is not paid yet, a cancellation and its confirmation; seconds until the refund is executed."""
    begun = time.perf_counter()
    for step, wanted in enumerate(("payment.captured.v1", "cancellation.quoted.v1", "cancellation.confirmed.v1"), 1):
        if step > 1 or whole:
            _, told = hub.decided(step, name)
            assert wanted in told, (name, step, told)
    end = time.monotonic() + _SETTLE_S
    while True:
        stands = msgspec.json.decode(hub.asked("GET", f"/folios/B-{name}"))
        if [(effect["state"], effect["minor"]) for effect in stands["effects"]] == [("confirmed", REFUND)]:
            return time.perf_counter() - begun
        assert time.monotonic() < end, (name, stands["effects"])
        time.sleep(0.02)


def _doors(store: Store) -> Iterator[tuple[str, str]]:
    """What is asked often, by name."""
    with closing(Database(str(store.path), writer=False)) as database:
        last = Reading(database).rows("SELECT max(seq) AS seq FROM outbox_row")[0]["seq"]
    yield "health", "/health"
    yield "ready", "/ready"
    yield "metrics", "/metrics"
    yield "folio", f"/folios/B-{store.copied}"
    yield "message", f"/messages?source=pms.thais&id=1-{store.copied}"
    yield "outcomes_first", "/outcomes?after=0"
    yield "outcomes_middle", f"/outcomes?after={last // 2}"
    yield "outcomes_end", f"/outcomes?after={last}"


def _commands(store: Store) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What operators say often, by name; `keys` is as much as any command takes."""
    yield "keys", ("keys", "list")
    yield "effects", ("effects", "list")
    yield "effects_folio", ("effects", "list", "--folio", f"B-{store.copied}")
    yield "approvals", ("approvals", "list")
    yield "payouts", ("payouts", "status")
    yield "dead_letters", ("dead-letters", "list")
    yield "explain", ("explain", f"B-{store.copied}")
    yield "explain_name", ("explain", f"pms:thais={store.copied}")
    yield "explain_message", ("explain", f"1-{store.copied}")
    yield "balance_folio", ("ledger", "balance", "--folio", f"B-{store.copied}")


def _command(store: Store, *words: str) -> float:
    """Seconds of one command beside the running hub. Raises AssertionError when it fails."""
    command = [sys.executable, "-m", "console.command", *words, "--store", str(store.path)]
    begun = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, (words, ended.stderr[-2000:])
    assert ended.stdout, words
    return time.perf_counter() - begun


def measure(setting: Setting) -> Figures:
    """All figures of a store of `setting.big_gb`: made, measured, taken away."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder:
        begun = time.perf_counter()
        store = made(Path(folder), setting.big_gb, setting.big_stays, setting.say, setting.seed)
        setting.say(f"a store of {store.path.stat().st_size / 1e9:.2f} GB was made in {time.perf_counter() - begun:.0f} s")
        return measured(store, setting)
