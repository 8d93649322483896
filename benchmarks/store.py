"""The way of several workers: the hub's engine on PostgreSQL beside the bare durable work on the same server, and beside what a team
would build from a framework.

All sides run in turns on one server that syncs, each in a database of its own; every side is verified before there is a figure.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import embedded
from benchmarks.messages import ids, stream
from benchmarks.peers import faststream_peer, postgres_loop
from benchmarks.setting import Figures, Setting
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from engine.clock import ManualClock
from engine.transport.contract import Taken
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running
from tests.services.rabbitmq import RabbitMQ
from topics.catalogue import INTAKE

_MASTER: Final = bytes(range(32))
_FEWER: Final = 10  # the peer is measured with so many times fewer messages: it is slower by as much


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
    """`store_ratio`, `store_peer_ratio` and what belongs to them: in every round the loop, the hub, the peer, the loop again."""
    hubs, loops, peers = list[Side](), list[float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder, ExitStack() as servers:
        homes = [Path(folder) / name for name in ("postgresql", "rabbitmq")]
        for home in homes:
            home.mkdir()
        server = servers.enter_context(running(PostgreSQL(homes[0])))
        broker = servers.enter_context(running(RabbitMQ(homes[1])))
        for number in range(setting.runs):
            seed = setting.seed + number
            names = ids(setting.stays, seed)
            events = list(stream(names, setting.lag))
            few = list(stream(ids(max(1, setting.stays // _FEWER), seed), setting.lag))
            before = by_hand(server, events)
            one = by_hub(server, names, events)
            peers.append(by_framework(server, broker, few))
            loops.append(statistics.mean((before, by_hand(server, events))))
            hubs.append(one)
            setting.say(
                f"round {number + 1}: loop {loops[-1]:,.0f}/s; hub {one.rate:,.0f}/s (append {one.append:.2f} s, decide {one.lanes:.2f} s,"
                f" effects {one.requests:.2f} s); {one.rate / loops[-1]:.3f}; peer {peers[-1]:,.0f}/s"
            )
    return {
        "store_ratio": _median(hubs, loops),
        "store_peer_ratio": _median(hubs, peers),
        "store_per_s": round(statistics.median(one.rate for one in hubs)),
        "postgres_loop_per_s": round(statistics.median(loops)),
        "peer_per_s": round(statistics.median(peers)),
    }


def _median(hubs: Sequence[Side], others: Sequence[float]) -> float:
    return round(statistics.median(one.rate / other for one, other in zip(hubs, others, strict=True)), 4)


def by_hand(server: PostgreSQL, events: Sequence[bytes]) -> float:
    """Messages a second of the work by hand, in a database of its own."""
    address = server.database()
    try:
        return postgres_loop.run(address, events)
    finally:
        server.drop(address)


def by_framework(server: PostgreSQL, broker: RabbitMQ, events: Sequence[bytes]) -> float:
    """Messages a second of the peer, from a queue in which they lie."""
    address = server.database()
    try:
        return faststream_peer.run(broker.url, address, events)
    finally:
        server.drop(address)


def by_hub(server: PostgreSQL, names: Sequence[str], events: Sequence[bytes]) -> Side:
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
