"""The way of several workers: the hub's engine on PostgreSQL beside the bare durable work on the same server, and beside what a team
would build from a framework.

All sides run in turns on one server that syncs, each in a database of its own; every side is verified before there is a figure.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks import embedded
from benchmarks.messages import ids, stream
from benchmarks.peers import postgres_loop
from benchmarks.setting import Figures, Setting
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from engine.clock import ManualClock
from engine.transport.contract import Taken
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running
from topics.catalogue import INTAKE

_MASTER = bytes(range(32))


class Side(NamedTuple):
    """One verified run of the hub: messages, and seconds of its parts."""

    inputs: int
    append: float
    lanes: float
    requests: float

    @property
    def rate(self) -> float:
        """Messages a second, once they lie in the log: decided, refunds sent, answers decided."""
        return self.inputs / (self.lanes + self.requests)


def measure(setting: Setting) -> Figures:
    """`store_ratio` and what belongs to it: in every round the loop, the hub, the loop again."""
    ratios, hubs = [], []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder, running(PostgreSQL(Path(folder))) as server:
        for number in range(setting.runs):
            seed = setting.seed + number
            names, events = ids(setting.stays, seed), list(stream(setting.stays, seed, setting.lag))
            before = loop(server, events)
            hubs.append(hub(server, names, events))
            bare = statistics.mean((before, loop(server, events)))
            ratios.append(hubs[-1].rate / bare)
            one = hubs[-1]
            setting.say(
                f"round {number + 1}: loop {bare:,.0f}/s; hub {one.rate:,.0f}/s (append {one.append:.2f} s, decide {one.lanes:.2f} s,"
                f" effects {one.requests:.2f} s); {ratios[-1]:.3f}"
            )
    return {
        "store_ratio": round(statistics.median(ratios), 4),
        "store_per_s": round(statistics.median(one.rate for one in hubs)),
        "postgres_loop_per_s": round(statistics.median(one.rate / ratio for one, ratio in zip(hubs, ratios, strict=True))),
    }


def loop(server: PostgreSQL, events: list[bytes]) -> float:
    """Messages a second of the work by hand, in a database of its own."""
    address = server.database()
    try:
        return postgres_loop.run(address, events)
    finally:
        server.drop(address)


def hub(server: PostgreSQL, names: list[str], events: list[bytes]) -> Side:
    """The same of one hub that has all lanes, in batches that lie in the log before it is asked."""
    address = server.database()
    try:
        providers, clock = AcceptingProviders(), ManualClock(embedded.NOW)
        one = embedded.Timed(load(None, {}), address, providers, clock=clock, lanes=INTAKE.partitions, master=_MASTER)
        with closing(one):
            gc.collect()
            taken = embedded.feed(one, events, clock)
            assert taken == {Taken.ACCEPTED: len(events)}, taken
            embedded.check(one, providers, names)
        parts = one.parts
        return Side(len(events), parts["append"], parts["decide"], parts["drain"] - parts["decide"])
    finally:
        server.drop(address)
