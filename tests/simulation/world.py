"""One world: a hub that dies and comes back, a scripted provider, senders that repeat themselves, one clock. Nothing is left to chance
but the seed: the same seed gives the same trace, byte by byte."""

from __future__ import annotations

import contextlib
import heapq
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from config.loader import load
from config.settings import Configuration
from engine.clock import ManualClock, instant, micros
from engine.hub import Hub
from engine.transport.contract import Arrival
from schemas.errors import Rejected
from schemas.policy import TenderOrder
from tests.simulation.disk import Crash, Disk, Luck, image
from tests.simulation.messages import arrival
from tests.simulation.people import People
from tests.simulation.plan import START, Plan
from tests.simulation.provider import SimulatedProvider

SECOND = 1_000_000
HORIZON_US = 250 * 86_400 * SECOND
MASTER = b"a master key of 32 bytes, public"


class Stuck(AssertionError):
    """Time stands still: the hub says there is something to do and does nothing."""


@cache
def _settings() -> tuple[Configuration, bytes]:
    return load(None), image()


class World:
    """Runs from its seed until it is quiet."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chance = random.Random(f"world {seed}")
        configuration, empty = _settings()
        self.configuration = _knobs(configuration, self._chance)
        self.clock = ManualClock(micros(START))
        self.luck = Luck(seed, self._chance.choice((0.0, 0.01, 0.03, 0.06)))
        self.disk = Disk(self.luck, empty)
        self.provider = SimulatedProvider(seed, self.clock, self.luck)
        self._chunk = self._chance.choice((1, 2, 7, 500))
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._down_until = 0
        self.accepted: dict[tuple[str, str], int] = {}
        self.hub = self._open()
        Plan(seed, self)
        self._outages()

    # -- what a plan asks for --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The world's time."""
        return instant(self.clock.now())

    def seconds(self) -> int:
        """Since the world began."""
        return (self.clock.now() - micros(START)) // SECOND

    def at(self, second: float, act: Callable[[], None]) -> None:
        """Put something on the agenda, seconds since the world began."""
        self._number += 1
        heapq.heappush(self._agenda, (max(micros(START) + int(second * SECOND), self.clock.now()), self._number, act))

    def send(self, second: float, source: str, id_: str, name: str, data: dict[str, Any], *, actor: str = "system") -> None:
        """A message, late or twice as luck has it."""
        chance = self._chance
        one = arrival(source, id_, name, data, instant(micros(START) + max(0, int(second)) * SECOND), actor=actor)
        for _ in range(1 if chance.random() < 0.7 else chance.choice((2, 3))):
            late = chance.choice((0, 0, 0, 1, 20, 4_000, 90_000))
            self.at(max(0, second) + late, lambda: self.deliver(one))
        if chance.random() < 0.02:
            other = arrival(source, id_, name, {**data, "requested_at": None, "folio": "F-conflict"}, self.now(), actor=actor)
            self.at(max(0, second) + 200_000, lambda: self.deliver(other))

    def deliver(self, *arrivals: Arrival) -> None:
        """Until the hub has acknowledged: who gets no answer sends again."""
        while True:
            try:
                for one, receipt in zip(arrivals, self.hub.intake.append(arrivals), strict=True):
                    self.accepted[one.attributes["source"], one.attributes["id"]] = 1
                    self.luck.trace.append(f"{self.seconds()} {receipt.taken} {one.attributes['id']} {one.attributes['type']}")
                return
            except Crash:
                self._reopen()

    def back_office(self, payid: str, minor: int, status: str) -> None:
        """Somebody clicks at the provider; what it refuses is no event."""
        with contextlib.suppress(Rejected):
            self.provider.provider.back_office(payid, "RFD", minor, self.now(), status=status)
            self.luck.trace.append(f"{self.seconds()} back office {payid} {minor} {status}")

    # -- running ---------------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until nothing will ever happen by itself; then people look at what waits for them, twice."""
        self._until_quiet()
        self.luck.stop()
        people = People(self)
        for _ in range(3):
            self.at(self.seconds() + 60, people.act)
            self._until_quiet()

    def _until_quiet(self) -> None:
        end = self.clock.now() + HORIZON_US
        here = 0
        while True:
            instants = [
                at for at in (self._agenda[0][0] if self._agenda else None, self.provider.next_due(), self._hub_due()) if at
            ]
            if not instants or min(instants) > end:
                return
            here = here + 1 if min(instants) <= self.clock.now() else 0
            if here > 300:
                raise Stuck(f"seed {self.seed}: {self.now()}: due again and again")
            self.clock.advance(min(instants))
            while self._agenda and self._agenda[0][0] <= self.clock.now():
                heapq.heappop(self._agenda)[2]()
            self._callbacks()
            if self.clock.now() >= self._down_until:
                self._drain()

    def _hub_due(self) -> int | None:
        due = self.hub.next_due()
        return None if due is None else max(due, self._down_until)

    def _callbacks(self) -> None:
        arrivals = self.provider.callbacks()
        if arrivals:
            self.deliver(*arrivals)
            if self._chance.random() < 0.2:
                self.deliver(*reversed(arrivals))

    def _drain(self) -> None:
        while True:
            try:
                self.hub.drain()
                return
            except Crash:
                self._reopen()

    def _outages(self) -> None:
        """The worker is down and the door stays open."""
        for _ in range(self._chance.choice((0, 0, 1, 3))):
            length = self._chance.choice((600, 7_200, 200_000))
            begins = self._chance.randrange(0, 80 * 86_400)
            self.at(begins, lambda length=length: setattr(self, "_down_until", self.clock.now() + length * SECOND))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            self.at(begins + length, lambda: None)

    # -- dying -----------------------------------------------------------------------------------------------------------------

    def _open(self) -> Hub:
        connectors = {"azur": self.provider.connector}
        while True:
            try:
                return Hub(self.configuration, self.disk, connectors, clock=self.clock, chunk=self._chunk, master=MASTER)
            except Crash:
                self.disk.lose()

    def _reopen(self) -> None:
        self.disk.lose()
        self.clock.advance(self.clock.now() + self._chance.choice((0, 1, 100, 3_600)) * SECOND)
        self.hub = self._open()

    def trace(self) -> bytes:
        """Everything that was seen from outside, in order: arrivals, deaths, outcomes, and the provider's books."""
        outcomes = [
            f"{row['name']} {row['key']} {row['body'].decode()}"
            for row in self.rows("SELECT name, key, body FROM outbox ORDER BY seq")
        ]
        books = msgspec.json.encode(self.provider.provider.shown(), order="sorted").decode()
        return "\n".join([*self.luck.trace, *outcomes, books]).encode()

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of the store."""
        return self.hub.reading.rows(statement, parameters)


def _knobs(configuration: Configuration, chance: random.Random) -> Configuration:
    replace = msgspec.structs.replace
    camp = replace(
        configuration.properties["camp-azur"],
        approval_above=chance.choice((None, None, 15_000)),
        override_above=chance.choice((None, 3_000)),
        tender_order=chance.choice(list(TenderOrder)),
        arrhes_double=chance.random() < 0.2,
        split_cap=chance.random() < 0.2,
    )
    tenant = replace(
        configuration.tenants["azur"], day_sum=chance.choice((None, None, 200_000)), velocity_per_hour=chance.choice((None, 2))
    )
    return replace(configuration, properties={"camp-azur": camp}, tenants={"azur": tenant})
