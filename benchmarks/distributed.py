"""The way of several workers, end to end: messages that lie in Kafka are decided by worker processes on PostgreSQL, with postings,
decision records and outcomes that are published to Kafka's topics.

A side is one database and one set of topics, which some stays have gone through already. Its messages come in four steps (booked,
paid, asked, confirmed), so that a name is bound before it is used; workers stand still while a step is appended, and are timed until
everything of it is decided and published.
"""

from __future__ import annotations

import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import requests

from benchmarks import store
from benchmarks.messages import ids, stream
from benchmarks.processes import cpu_s
from benchmarks.setting import Figures, Setting
from config.loader import load
from engine.opening import STRUCTURED
from engine.role import Role
from engine.roles import Member
from engine.transport.contract import Arrival
from tests.distributed.platform import MASTER, Platform
from tests.distributed.topics import made_anew
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL, children
from tests.services.processes import running
from tests.services.rabbitmq import RabbitMQ
from topics.catalogue import INTAKE

_STEPS: Final = 4
_BATCH: Final = 500
_WARM: Final = 400  # stays that go before: the first record of each partition costs the broker its files
_POLL_S: Final = 0.1
_OWN_S: Final = 60.0
_STEP_S: Final = 600.0


class Cost(NamedTuple):
    """Seconds of processor time: of all workers together, of PostgreSQL, of Kafka."""

    workers: float
    postgresql: float
    kafka: float


class Side(NamedTuple):
    """One verified run: messages, seconds from the first that was taken to the last outcome that was published, and what it cost."""

    inputs: int
    seconds: float
    cost: Cost

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.inputs / self.seconds

    def each_us(self) -> Cost:
        """Of one message, in microseconds."""
        return Cost(*(round(1e6 * part / self.inputs) for part in self.cost))


class Servers(NamedTuple):
    """Those that all sides share, and what starts processes."""

    database: PostgreSQL
    kafka: Kafka
    rabbitmq: RabbitMQ
    forker: Forker
    folder: Path


def measure(setting: Setting) -> Figures:
    """`kafka_ratio`, `peer_ratio`, `workers_ratio`, `latency_p50_ms`, `latency_p99_ms`, `handover_s`, `handover_kill_s`."""
    ones, twos, loops, peers = list[Side](), list[Side](), list[float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as place, ExitStack() as stack:
        folder = Path(place)
        homes = {name: folder / name for name in ("postgresql", "kafka", "rabbitmq")}
        for home in homes.values():
            home.mkdir()
        servers = Servers(
            stack.enter_context(running(PostgreSQL(homes["postgresql"]))),
            stack.enter_context(running(Kafka(homes["kafka"]))),
            stack.enter_context(running(RabbitMQ(homes["rabbitmq"]))),
            stack.enter_context(Forker()),
            folder,
        )
        for number in range(setting.runs):
            seed = setting.seed + number
            names = ids(setting.stays, seed)
            events = list(stream(names, setting.lag))
            few = list(stream(ids(max(1, setting.stays // 10), seed), setting.lag))
            before = store.by_hand(servers.database, events)
            ones.append(decided(servers, names, 1))
            twos.append(decided(servers, names, 2))
            peers.append(store.by_framework(servers.database, servers.rabbitmq, few))
            loops.append(statistics.mean((before, store.by_hand(servers.database, events))))
            setting.say(
                f"round {number + 1}: loop {loops[-1]:,.0f}/s; one worker {ones[-1].rate:,.0f}/s, {ones[-1].rate / loops[-1]:.3f};"
                f" two {twos[-1].rate:,.0f}/s; peer {peers[-1]:,.0f}/s; µs of a message {ones[-1].each_us()}"
            )
        waits, graceful, killed = live(servers, setting)
    rates, costs = [one.rate for one in ones], [one.each_us() for one in ones]
    return {
        "kafka_ratio": _median(rates, loops),
        "peer_ratio": _median(rates, peers),
        "workers_ratio": _median([two.rate for two in twos], rates),
        "kafka_per_s": round(statistics.median(rates)),
        "worker_us": round(statistics.median(cost.workers for cost in costs)),
        "postgresql_us": round(statistics.median(cost.postgresql for cost in costs)),
        "kafka_us": round(statistics.median(cost.kafka for cost in costs)),
        "latency_p50_ms": round(statistics.median(waits) * 1000, 1),
        "latency_p99_ms": round(sorted(waits)[int(len(waits) * 0.99)] * 1000, 1),
        "handover_s": round(graceful, 2),
        "handover_kill_s": round(killed, 2),
    }


def _median(sides: Sequence[float], others: Sequence[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(sides, others, strict=True)), 4)


def decided(servers: Servers, stays: Sequence[str], workers: int) -> Side:
    """Four steps of these stays by so many workers."""
    seconds, cost = 0.0, Cost(0.0, 0.0, 0.0)
    with ExitStack() as stack:
        platform = _platform(servers, stack)
        configuration = load(Path(platform.environment["FOLIOHUB_CONFIG"]), platform.environment)
        gateway = Member(configuration, frozenset({Role.GATEWAY}), master=bytes.fromhex(MASTER))
        stack.callback(gateway.close)
        names = [platform.start("worker") for _ in range(workers)]
        _all_owned(platform, names)
        warm = ids(_WARM, 1_000_003)
        for step in range(_STEPS):
            _append(gateway, platform.story(warm, step))
            _published(platform, (step + 1) * _WARM)
        for step in range(_STEPS):
            for name in names:
                platform.signal(name, signal.SIGSTOP)
            _append(gateway, platform.story(stays, step))
            before, began = _cost(servers, platform), time.perf_counter()
            for name in names:
                platform.signal(name, signal.SIGCONT)
            _published(platform, _STEPS * _WARM + (step + 1) * len(stays))
            seconds += time.perf_counter() - began
            after = _cost(servers, platform)
            cost = Cost(*(sofar + late - early for sofar, late, early in zip(cost, after, before, strict=True)))
        for name in names:
            platform.stop(name)
        told = {row["name"]: row["n"] for row in platform.rows("SELECT name, count(*) AS n FROM outbox GROUP BY 1")}
        assert told["refund.decided"] == told["booking.accepted"] == _WARM + len(stays), told
    return Side(_STEPS * len(stays), seconds, cost)


def _append(gateway: Member, events: Sequence[bytes]) -> None:
    for first in range(0, len(events), _BATCH):
        gateway.hub.intake.append([
            Arrival(door="bench", body=event, content_type=STRUCTURED) for event in events[first : first + _BATCH]
        ])  # fmt: skip


def _cost(servers: Servers, platform: Platform) -> Cost:
    """So far."""
    workers = sum(cpu_s(pid) for name, pid in platform.pids.items() if name.startswith("worker"))
    database = servers.database.pid
    return Cost(workers, cpu_s(database, ended=True) + sum(map(_cpu_s_of_any, children(database))), cpu_s(servers.kafka.pid))


def _cpu_s_of_any(pid: int) -> float:
    """Nothing for one that has just ended: its parent tells."""
    try:
        return cpu_s(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def live(servers: Servers, setting: Setting) -> tuple[list[float], float, float]:
    """Seconds from a message's acceptance to its outcome at the door, one after the other at the setting's pace, while another process
    decides; and until a worker has the lanes of one that stopped, and of one that was killed."""
    with ExitStack() as stack:
        platform = _platform(servers, stack)
        gateway, one, two = (platform.start(role) for role in ("gateway", "worker", "worker"))
        platform.ready()
        _all_owned(platform, [one, two])
        waits = _waits(platform, gateway, setting)
        began = time.perf_counter()
        platform.signal(two, signal.SIGTERM)
        _all_owned(platform, [one])
        graceful = time.perf_counter() - began
        platform.gone(two)
        three = platform.start("worker")
        _all_owned(platform, [one, three])
        began = time.perf_counter()
        platform.kill(one)
        _all_owned(platform, [three])
        return waits, graceful, time.perf_counter() - began


def _waits(platform: Platform, gateway: str, setting: Setting) -> list[float]:
    waits: list[float] = []
    events = platform.story(ids(setting.per_second * (setting.warm_s + setting.latency_s), 99), 0)
    headers = {"Content-Type": STRUCTURED, "Authorization": f"Bearer {platform.key}"}
    with requests.Session() as session:
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=64)
        session.mount("http://", adapter)

        def ask(event: bytes, count: bool) -> None:
            began = time.perf_counter()
            answer = session.post(
                f"{platform.urls[gateway]}/messages", data=event, params={"wait": "10s"}, headers=headers, timeout=20
            )
            assert answer.status_code == 200, answer.text
            if count:
                waits.append(time.perf_counter() - began)

        threads = []
        began = time.perf_counter()
        for number, event in enumerate(events):
            time.sleep(max(0.0, began + number / setting.per_second - time.perf_counter()))
            threads.append(threading.Thread(target=ask, args=(event, number >= setting.per_second * setting.warm_s)))
            threads[-1].start()
        for thread in threads:
            thread.join()
    assert len(waits) == setting.per_second * setting.latency_s
    return waits


def _platform(servers: Servers, stack: ExitStack) -> Platform:
    made_anew(servers.kafka.bootstrap)
    address = servers.database.database()
    stack.callback(servers.database.drop, address)
    folder = Path(tempfile.mkdtemp(prefix="platform-", dir=servers.folder))
    return stack.enter_context(Platform(folder, servers.forker, address, servers.kafka.bootstrap))


def _all_owned(platform: Platform, names: Sequence[str]) -> None:
    """Until these own every lane between them, each some."""

    def owned() -> bool:
        counts = [_gauge(platform, name) for name in names]
        return sum(counts) == INTAKE.partitions and all(counts)

    wait_until(owned, f"{', '.join(names)} own the lanes", _OWN_S)


def _gauge(platform: Platform, name: str) -> int:
    try:
        text = requests.get(f"{platform.urls[name]}/metrics", timeout=2).text
    except requests.RequestException:
        return 0
    return next((int(float(line.split()[1])) for line in text.splitlines() if line.startswith("foliohub_lanes_owned ")), 0)


def _published(platform: Platform, messages: int) -> None:
    """Until so many messages are decided and none of their outcomes waits."""
    until = time.monotonic() + _STEP_S
    while platform.count("SELECT coalesce(sum(next_offset), 0) FROM lane") < messages or platform.count(
        "SELECT count(*) FROM (SELECT FROM outbox_waiting LIMIT 1) AS one"
    ):
        assert time.monotonic() < until, f"{messages} messages are not decided within {_STEP_S:.0f} s"
        time.sleep(_POLL_S)
