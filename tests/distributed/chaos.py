"""Runs of a platform under load and faults, by seed: `python -m tests.distributed.chaos --runs 5 --seed 1 --table FILE`.

Each run is a line of the table (JSON); a seed that has its line is not run again, so that a long series goes on where it stopped.
docs/chaos.md says how to read it. Exit 1 when anything was wrong in a run of the table.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import requests

from benchmarks.messages import TENANT, ids
from engine.store.postgresql.database import Database
from tests.distributed.checks import published, queued, wrongs
from tests.distributed.faults import FAULTS, Servers, Stage, drawn
from tests.distributed.load import STEPS, Load
from tests.distributed.platform import Platform
from tests.distributed.topics import made_anew, strange
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running
from tests.services.proxy import Proxy
from tests.services.rabbitmq import RabbitMQ

ROLES: Final = ("gateway", "gateway", "worker", "worker", "effects", "scheduler")
FAULTS_A_RUN: Final = 3
PROBE: Final = 64  # bookings after each fault, on nearly all of 32 lanes
RECOVERY_S: Final = 30.0
PATIENCE_S: Final = 60.0  # so long a recovery is waited for, that it has a number
QUIET_S: Final = 90.0
MEND_S: Final = 0.3
CRASHED: Final = {3, 4, -9}  # away, or ended by itself to be started again; and killed
REFUND_ENDED: Final = "('confirmed', 'refused')"


class Run(msgspec.Struct, kw_only=True):
    """A line of the table. Times in seconds; a recovery for each fault, None when it was not seen in time."""

    seed: int
    faults: list[str]
    messages: int = 0  # different ones that were acknowledged, of a stay four
    wanted: int = 0
    by_amqp: int = 0  # of those, so many entered by AMQP
    twice: int = 0  # sent once more, beside what was repeated because nobody acknowledged it
    closed: int = 0  # answers 503 with Retry-After
    dead_letters: int = 0
    by_person: int = 0  # refunds that somebody looked up at the provider
    not_there: int = 0  # of those, so many had never been made there
    fault_s: list[float] = []
    recovery_s: list[float | None] = []
    load_s: float = 0
    quiet_s: float = 0  # from the last message until nothing waited
    checks_s: float = 0
    restarts: dict[str, int] = {}  # "role: exit status", how often
    wrong: list[str] = []


class Supervisor:
    """Starts again whatever ended, in a thread of its own."""

    def __init__(self, platform: Platform) -> None:
        self.ended: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._platform = platform
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nothing is started any more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(MEND_S):
            for name, status in self._platform.mend().items():
                self.ended[f"{name.rpartition('-')[0]}: {status}"] += 1
                if status not in CRASHED:
                    self.wrong.append(f"{name} ended with {status}: …{self._platform.log(name)}")


def run(seed: int, servers: Servers, forker: Forker, folder: Path, *, messages: int, load_s: float, longest_s: float,
        faults: Sequence[str] = (), probe: int = PROBE) -> Run:  # fmt: skip
    """One run on an empty store and empty topics; `load_s`: over so long the messages are spread; `probe`: bookings after each
    fault."""
    luck = random.Random(f"{seed} luck")
    told = Run(seed=seed, faults=list(faults) or drawn(seed, FAULTS_A_RUN), wanted=messages)
    made_anew(servers.kafka.bootstrap)
    beside = servers.postgresql.database()
    Database(beside).close()
    store = beside.replace(f":{servers.postgresql.port}/", f":{servers.to_postgresql.port}/")
    bootstrap = f"127.0.0.1:{servers.to_kafka.port}"
    amqp = servers.rabbitmq.url.replace(f":{servers.rabbitmq.port}/", f":{servers.to_rabbitmq.port}/")
    stays = ids(max(1, messages // STEPS), seed)
    fresh = ids(probe * len(told.faults), seed + 1_000_000)
    probes = [fresh[at : at + probe] for at in range(0, len(fresh), probe)]
    try:
        with Platform(folder, forker, store, bootstrap, amqp, beside=beside) as platform:
            _played(told, platform, servers, luck, stays, probes, load_s, longest_s)
            platform.swept()
    finally:
        servers.heal()
    servers.postgresql.drop(beside)
    return told


def _played(
    told: Run, platform: Platform, servers: Servers, luck: random.Random, stays: list[str], probes: list[list[str]],
    load_s: float, longest_s: float,
) -> None:  # fmt: skip
    platform.paid([*stays, *chain(*probes)])
    names = [platform.start(role) for role in ROLES]
    platform.ready()
    wait_until(platform.laid, "the hub has declared its queues")
    servers.rabbitmq.settle()
    assert platform.key
    supervisor = Supervisor(platform)
    load = Load(platform, names[0], stays, luck, load_s)
    began = time.monotonic()
    load.start()
    try:
        _strike(told, Stage(platform, servers, luck, longest_s, told.wrong), load, probes)
        while time.monotonic() < began + load_s:
            time.sleep(0.1)
        done = load.finish(QUIET_S)
        told.load_s = round(time.monotonic() - began, 1)
        told.wrong += load.wrong
        told.messages, told.twice, told.closed = load.acknowledged, load.twice, load.closed
        told.by_amqp = load.by_amqp
        if not done:
            told.wrong.append(f"not every message was taken and decided within {QUIET_S} s: {_state(platform)}")
            return
        _quiet(told, platform, names[0], load.begun)
        _all_ready(told, platform)
    finally:
        supervisor.stop()
        told.restarts = dict(supervisor.ended)
        told.wrong += supervisor.wrong
    _end(told, platform)
    began = time.monotonic()
    _check(told, platform, load)
    told.checks_s = round(time.monotonic() - began, 1)


def _strike(told: Run, stage: Stage, load: Load, probes: Sequence[list[str]]) -> None:
    """The faults, one after the other; after each it is measured how soon bookings are decided again."""
    for number, name in enumerate(told.faults):
        time.sleep(stage.luck.uniform(1, 3))
        began = time.monotonic()
        FAULTS[name](stage)
        told.fault_s.append(round(time.monotonic() - began, 1))
        took = load.probe(probes[number], PATIENCE_S)
        told.recovery_s.append(None if took is None else round(took, 1))
        if took is None or took >= RECOVERY_S:
            told.wrong.append(
                f"{name}: bookings are decided again after {took} s: {_state(stage.platform)} {_logs(stage.platform)}"
            )


def _quiet(told: Run, platform: Platform, gateway: str, stays: Sequence[str]) -> None:
    """Until every refund has an end and every outcome is published. Where the hub asks for a person, one looks at the provider."""
    began = time.monotonic()
    settled: set[str] = set()
    while not _nothing_waits(platform, len(stays)):
        for effect in platform.rows("SELECT * FROM effect WHERE state = 'needs_person'"):
            if effect["id"] not in settled:
                settled.add(effect["id"])
                told.not_there += not settle(platform, gateway, effect)
        if time.monotonic() > began + QUIET_S:
            told.wrong.append(f"not quiet within {QUIET_S} s: {_state(platform)} {_logs(platform)}")
            break
        time.sleep(0.2)
    told.by_person = len(settled)
    told.messages += len(settled)
    told.quiet_s = round(time.monotonic() - began, 1)


def _nothing_waits(platform: Platform, stays: int) -> bool:
    return (
        platform.count(f"SELECT count(*) FROM effect WHERE state IN {REFUND_ENDED}") >= stays
        and platform.count("SELECT count(*) FROM internal WHERE decision = 0") == 0
        and platform.count("SELECT count(*) FROM outbox_waiting") == 0
        and platform.count("SELECT count(*) FROM outbox_asked") == 0
    )


def settle(platform: Platform, gateway: str, effect: dict[str, Any]) -> bool:
    """An operator says of a request what the provider's page shows; whether it shows the refund."""
    owned = platform.rows("SELECT level FROM provider_record WHERE reference = %s AND owner LIKE 'effect:%%'", effect["reference"])
    made = platform.provider_rows(
        f"SELECT * FROM operations WHERE payid = '{effect['reference']}' AND minor = {effect['minor']} AND operation IN ('RFD', 'RFS')"
    )
    shown = [row for row in made if str(row["level"]) not in {one["level"] for one in owned}]
    data = {"subject": effect["id"], "result": "confirmed" if shown else "refused", "reason": "seen at the provider"}
    data |= {"provider_record": f"{effect['reference']}/{shown[0]['level']}"} if shown else {}
    data["actor"] = {"kind": "operator", "id": "olga"}  # type: ignore[assignment]
    event = {
        "specversion": "1.0", "id": f"say/{effect['id']}", "source": "console", "type": "foliohub.effect.settle.v1", "tenant": TENANT,
        "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    while True:
        with suppress(requests.RequestException):
            platform.send(gateway, [json.dumps(event).encode()])
            return bool(shown)
        time.sleep(0.3)


def _all_ready(told: Run, platform: Platform) -> None:
    try:
        platform.ready(timeout_s=30)
    except (AssertionError, KeyError) as failure:
        told.wrong.append(f"stuck: {failure}")


def _end(told: Run, platform: Platform) -> None:
    """Every process ends well when it is told to."""
    for name in list(platform.pids):
        try:
            platform.stop(name)
        except AssertionError as failure:
            told.wrong.append(f"does not end: {failure}")


def _check(told: Run, platform: Platform, load: Load) -> None:
    told.dead_letters = platform.count("SELECT count(*) FROM dead_letter")
    written = strange(platform.kafka)
    kept = platform.count("SELECT count(*) FROM dead_letter WHERE starts_with(door, 'kafka:')")
    if kept != written:
        told.wrong.append(f"{written} strange records are in the intake, {kept} are dead letters")
    known = {row["id"] for row in platform.rows("SELECT id FROM dead_letter")}
    if lost := load.letters - known:
        told.wrong.append(f"{len(lost)} of {len(load.letters)} acknowledged dead letters are lost")
    if told.dead_letters - kept > len(load.letters) + load.unclear:
        told.wrong.append(f"{told.dead_letters - kept} dead letters, {len(load.letters)} acknowledged, {load.unclear} unclear")
    sent = STEPS * len(load.begun) + told.by_person
    told.wrong += wrongs(platform, load.begun, sent, letters=told.dead_letters, refused=told.not_there)
    told.wrong += published(platform)
    told.wrong += queued(platform)


def _state(platform: Platform) -> str:
    with suppress(psycopg.Error):
        return platform._state()
    return "the store does not answer"


def _logs(platform: Platform) -> str:
    return " ".join(f"[{name}] …{platform.log(name)[-700:]}" for name in list(platform.pids))


# -- a series ------------------------------------------------------------------------------------------------------------------


def summary(runs: Sequence[Run]) -> str:
    """How often each fault fell, how soon bookings were decided again after it, and what was wrong."""
    lines = [f"{'fault':28} {'times':>5} {'recovery: median':>17} {'worst':>7}  lasted"]
    for name in FAULTS:
        seen = [
            found for one in runs for fault, *found in zip(one.faults, one.fault_s, one.recovery_s, strict=False) if fault == name
        ]
        back = [took for _, took in seen if took is not None]
        if seen:
            times = [lasted for lasted, _ in seen if lasted is not None]
            lines.append(
                f"{name:28} {len(seen):5} {statistics.median(back or [0]):15.1f} s {max(back, default=0):5.1f} s"
                f"  {min(times):.1f} to {max(times):.1f} s"
            )
    bad = [one for one in runs if one.wrong]
    lines.append(
        f"{len(runs)} runs, {sum(len(one.recovery_s) for one in runs)} faults, {sum(one.messages for one in runs)} messages,"
        f" {sum(one.closed for one in runs)} answers 503, {sum(sum(one.restarts.values()) for one in runs)} starts again,"
        f" {sum(one.by_person for one in runs)} refunds looked up by a person; wrong: {len(bad)} {[one.seed for one in bad] or ''}"
    )
    return "\n".join(lines)


def read(table: Path) -> list[Run]:
    """The lines of a table, none if there is none."""
    return [msgspec.json.decode(line, type=Run) for line in table.read_bytes().splitlines()] if table.exists() else []


def serve(stack: ExitStack, folder: Path) -> Servers:
    """Servers for a series, and the ways to them."""
    to_kafka = stack.enter_context(Proxy())
    kafka = stack.enter_context(running(Kafka(_made(folder / "kafka"), advertised=f"127.0.0.1:{to_kafka.port}")))
    to_kafka.target = kafka.port
    postgresql = stack.enter_context(running(PostgreSQL(_made(folder / "postgresql"))))
    rabbitmq = stack.enter_context(running(RabbitMQ(_made(folder / "rabbitmq"))))
    to_postgresql, to_rabbitmq = stack.enter_context(Proxy(postgresql.port)), stack.enter_context(Proxy(rabbitmq.port))
    return Servers(postgresql, kafka, rabbitmq, to_postgresql, to_kafka, to_rabbitmq)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main() -> None:
    """The command line."""
    reader = argparse.ArgumentParser(prog="python -m tests.distributed.chaos", description=__doc__)
    reader.add_argument("--runs", type=int, default=5, help="seeds one after the other")
    reader.add_argument("--seed", type=int, default=1, help="the first")
    reader.add_argument("--table", type=Path, default=Path("chaos.jsonl"), help="where each run is appended as a line of JSON")
    reader.add_argument("--messages", type=int, default=20_000, help="of a run; fewer if the time is over first")
    reader.add_argument("--load", type=float, default=45, help="seconds over which they are spread")
    reader.add_argument("--longest", type=float, default=10, help="seconds of the longest outage, 30 in a long series")
    asked = reader.parse_args()
    asked.table.parent.mkdir(parents=True, exist_ok=True)
    known = {one.seed for one in read(asked.table)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foliohub-chaos-")))
        servers, forker = serve(stack, folder), stack.enter_context(Forker())
        for seed in range(asked.seed, asked.seed + asked.runs):
            if seed in known:
                continue
            told = run(
                seed, servers, forker, folder / f"run-{seed}", messages=asked.messages, load_s=asked.load, longest_s=asked.longest
            )
            with asked.table.open("ab") as table:
                table.write(msgspec.json.encode(told) + b"\n")
            print(
                f"{seed}: {', '.join(told.faults)}: {told.messages} messages, recovery {told.recovery_s}; wrong: {told.wrong}",
                flush=True,
            )
    runs = read(asked.table)
    print(summary(runs))
    sys.exit(any(one.wrong for one in runs))


if __name__ == "__main__":
    main()
