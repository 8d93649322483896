"""What befalls a platform: each fault begins, lasts as long as luck says, and is over when its function returns."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tests.distributed.platform import Platform
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import Service
from tests.services.proxy import Proxy
from tests.services.rabbitmq import RabbitMQ

LEAVE_S: Final = 20.0


class Servers(NamedTuple):
    """The servers of a series, and the ways to them that the hub takes."""

    postgresql: PostgreSQL
    kafka: Kafka
    rabbitmq: RabbitMQ
    to_postgresql: Proxy
    to_kafka: Proxy
    to_rabbitmq: Proxy

    def heal(self) -> None:
        """Every way is open."""
        for way in (self.to_postgresql, self.to_kafka, self.to_rabbitmq):
            way.heal()


class Stage(NamedTuple):
    """What faults have at hand. `longest_s`: no cut is longer. `wrong`: what they saw that must not be."""

    platform: Platform
    servers: Servers
    luck: random.Random
    longest_s: float
    wrong: list[str]


Fault = Callable[[Stage], None]


def _one_of(stage: Stage, role: str) -> str:
    """A process of this role that runs now."""
    while True:
        names = sorted(name for name in list(stage.platform.pids) if name.rpartition("-")[0] == role)
        if names:
            return stage.luck.choice(names)
        time.sleep(0.1)  # it has just ended, and is started again


def _killing(role: str) -> Fault:
    def fault(stage: Stage) -> None:
        stage.platform.signal(_one_of(stage, role), signal.SIGKILL)

    return fault


def _stopping(role: str) -> Fault:
    """It stands still for longer than its lanes, leases and marks are its own, then goes on where it stood."""

    def fault(stage: Stage) -> None:
        name = _one_of(stage, role)
        pid = stage.platform.pids[name]
        stage.platform.signal(name, signal.SIGSTOP)
        try:
            time.sleep(stage.luck.uniform(8, min(13, max(9, stage.longest_s))))
        finally:
            if stage.platform.pids.get(name) == pid:
                stage.platform.signal(name, signal.SIGCONT)

    return fault


def _come_and_go(stage: Stage) -> None:
    """One worker more, then one of the others less."""
    leaves = _one_of(stage, "worker")
    came = stage.platform.start("worker")
    stage.platform.ready([came])
    try:
        stage.platform.stop(leaves, LEAVE_S)
    except AssertionError as failure:
        stage.wrong.append(f"a worker that is to leave: {failure}")
    except KeyError:  # it ended by itself this very moment, and is started again under its name
        return


def _struck(of: Callable[[Servers], Service]) -> Fault:
    """Killed like a machine that loses power, and started again later."""

    def fault(stage: Stage) -> None:
        server = of(stage.servers)
        server.kill()
        time.sleep(stage.luck.uniform(0, stage.longest_s / 2))
        server.start()

    return fault


def _unreachable(of: Callable[[Servers], Proxy], begin: Callable[[Proxy], None]) -> Fault:
    def fault(stage: Stage) -> None:
        way = of(stage.servers)
        begin(way)
        try:
            time.sleep(stage.luck.uniform(min(2.0, stage.longest_s), stage.longest_s))
        finally:
            way.heal()

    return fault


FAULTS: Final[Mapping[str, Fault]] = {
    "worker killed": _killing("worker"),
    "effects killed": _killing("effects"),
    "gateway killed": _killing("gateway"),
    "worker stopped, goes on": _stopping("worker"),
    "effects stopped, goes on": _stopping("effects"),
    "scheduler stopped, goes on": _stopping("scheduler"),
    "a worker joins, one leaves": _come_and_go,
    "Kafka killed": _struck(lambda servers: servers.kafka),
    "PostgreSQL killed": _struck(lambda servers: servers.postgresql),
    "RabbitMQ killed": _struck(lambda servers: servers.rabbitmq),
    "Kafka cut off": _unreachable(lambda servers: servers.to_kafka, Proxy.cut),
    "PostgreSQL cut off": _unreachable(lambda servers: servers.to_postgresql, Proxy.cut),
    "RabbitMQ cut off": _unreachable(lambda servers: servers.to_rabbitmq, Proxy.cut),
    "Kafka silent": _unreachable(lambda servers: servers.to_kafka, Proxy.silence),
    "PostgreSQL silent": _unreachable(lambda servers: servers.to_postgresql, Proxy.silence),
    "RabbitMQ silent": _unreachable(lambda servers: servers.to_rabbitmq, Proxy.silence),
}


def drawn(seed: int, number: int) -> list[str]:
    """The faults of a run, each once at most; the same for the same seed.

    They are dealt from shuffled decks, one behind the other, to the seeds in their order: of runs with seeds one after the other none
    has a fault for the (n + 1)th time, in whole decks, before every other fault came n times.
    """
    first, cards = seed * number, list[str]()
    while len(cards) < first + number:
        cards += _deck(len(cards), frozenset(cards[-(number - 1) :] if number > 1 else ()), number)
    return cards[first : first + number]


def _deck(at: int, just: frozenset[str], number: int) -> list[str]:
    """Every fault once; none of those that were `just` dealt comes so soon that a run could have it twice."""
    luck = random.Random(at)
    deck = list(FAULTS)
    while True:
        luck.shuffle(deck)
        if just.isdisjoint(deck[: number - 1]):
            return deck
