"""A long day: messages in batches through a real hub's HTTP door, one stay in ten cancelled and refunded over real HTTP, and what it
does to memory and speed.

The door is kept busy, not flooded: at most `AHEAD` messages wait for their decision. Resident memory is that of the hub's and the
provider's process together; tenths are tenths of the messages decided.
"""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.checks import Expected, whole
from benchmarks.live import APPEND, batches, today
from benchmarks.measured import size_of
from benchmarks.messages import ids, message
from benchmarks.processes import HubProcess, Provider
from benchmarks.setting import Figures, Setting
from engine.store.sqlite.database import Database

ONE_IN = 10  # stays of which one is cancelled
AHEAD = 4 * APPEND
_LAG = 200
_LOOK_S = 2.5e-6  # seconds between two looks at the memory, for each message of the whole
_TELL_S = 60
_PATIENCE_S = 60.0


class Look(NamedTuple):
    """So many messages were decided after so many seconds; resident megabytes of both processes."""

    seconds: float
    decided: int
    hub_mb: float
    provider_mb: float

    @property
    def mb(self) -> float:
        return self.hub_mb + self.provider_mb


def season(names: Sequence[str], messages: int) -> Iterator[tuple[int, str]]:
    """So many (step, stay): every stay is booked, paid and asks what cancelling would give; one in ten then cancels."""
    left = messages
    for place in range(len(names)):
        for step in range(4):
            stay = place - step * _LAG
            if stay >= 0 and (step < 3 or stay % ONE_IN == 0):
                if not left:
                    return
                left -= 1
                yield step, names[stay]


def measure(setting: Setting) -> Figures:
    """`peak_mb`, `peak_growth_ratio` and `throughput_end_ratio`, over `setting.soak` messages."""
    messages = setting.soak
    names = ids(messages // 3 + 4 * _LAG, setting.seed)
    steps = list(season(names, messages))
    counts = [sum(step == wanted for step, _ in steps) for wanted in range(4)]
    refunded = [name for step, name in steps if step == 3]
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as name:
        folder = Path(name)
        with Provider(folder, names[::ONE_IN], large=True) as provider, HubProcess(folder, provider, setting.threads) as hub:
            day = today()
            looks, points = watched(hub, provider, (message(step, stay, day) for step, stay in steps), messages, setting)
            left = hub.open_effects()
            setting.say(f"all is decided; {left} refunds are still on their way")
            hub.settled(counts[3])
            provider.agrees(refunded)
        with closing(Database(str(hub.store), writer=False)) as store:
            whole(store, Expected(*counts))
        size = size_of(hub.store)
    peak = max(looks, key=lambda look: look.mb)
    rates = [messages / 10 / (end - begin) for begin, end in pairwise(crossed(points, messages))]
    setting.say(f"messages/s by tenths: {', '.join(f'{rate:,.0f}' for rate in rates)}")
    most = [tenth(looks, messages, number) for number in range(10)]
    setting.say(f"resident MB by tenths, hub + provider: {', '.join(f'{one.hub_mb:.0f} + {one.provider_mb:.0f}' for one in most)}")
    return {
        "peak_mb": round(peak.mb, 1),
        "peak_hub_mb": round(peak.hub_mb, 1),
        "peak_growth_ratio": round(most[9].mb / most[1].mb, 3),
        "throughput_end_ratio": round(rates[-1] / max(rates[:2]), 3),
        "soak_messages": messages,
        "soak_per_s": round(messages / points[-1][0]),
        "soak_refunds": counts[3],
        "soak_refunds_behind": left,
        "soak_looks": len(looks),
        "soak_bytes_per_input": round(size / messages),
    }


def watched(
    hub: HubProcess, provider: Provider, events: Iterator[bytes], messages: int, setting: Setting
) -> tuple[list[Look], list[tuple[float, int]]]:
    """Send everything, and wait until it is decided; what was seen meanwhile, and (seconds, messages decided) all along."""
    looks: list[Look] = []
    points = [(0.0, 0)]
    done = threading.Event()
    begun = time.perf_counter()

    def look() -> None:
        told, over = 0, False
        while not over:
            over = done.wait(min(10.0, max(0.02, _LOOK_S * messages)))  # the last look is after everything
            looks.append(
                Look(time.perf_counter() - begun, points[-1][1], hub.process.resident_mb(), provider.process.resident_mb())
            )
            if (now := looks[-1]).seconds - told >= _TELL_S:
                told = int(now.seconds)
                setting.say(f"{now.decided:,} of {messages:,} decided after {now.seconds:.0f} s, {now.mb:.0f} MB resident")

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        with closing(http.client.HTTPConnection(hub.host, hub.port, timeout=60)) as connection:
            sent = 0
            for batch in batches(events):
                sent += post(connection, hub.key, batch)
                behind(hub, points, begun, sent - AHEAD)
        behind(hub, points, begun, messages)
    finally:
        done.set()
        watcher.join()
    return looks, points


def post(connection: http.client.HTTPConnection, key: str, batch: Sequence[bytes]) -> int:
    """One batch at the door; how many it has taken, which is all. Raises AssertionError."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
    connection.request("POST", "/messages", b"[" + b",".join(batch) + b"]", headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == HTTPStatus.ACCEPTED, (answer.status, body[:500])
    receipts = msgspec.json.decode(body)["receipts"]
    assert all(receipt["taken"] == "accepted" for receipt in receipts), body[:500]
    assert len(receipts) == len(batch), (len(receipts), len(batch))
    return len(batch)


def behind(hub: HubProcess, points: list[tuple[float, int]], begun: float, wanted: int) -> None:
    """Wait until so many messages are decided; notes how far it has come. Raises AssertionError when nothing moves any more."""
    moved = time.monotonic()
    while True:
        decided = hub.decided()
        if decided > points[-1][1]:
            points.append((time.perf_counter() - begun, decided))
            moved = time.monotonic()
        if decided >= wanted:
            return
        assert time.monotonic() - moved < _PATIENCE_S, f"nothing was decided for {_PATIENCE_S:g} s, {decided} of {wanted}"
        assert hub.process.alive(), f"the hub has ended: {hub.process.log}"
        time.sleep(0.005)


def crossed(points: Sequence[tuple[float, int]], messages: int) -> list[float]:
    """When each tenth of the messages was decided, from 0 to 10, between the points on a straight line."""
    found = []
    for number in range(11):
        wanted = messages * number / 10
        (before_s, before), (after_s, after) = next(
            (one, two)
            for one, two in pairwise([(0.0, 0), *points])
            if one[1] <= wanted <= two[1] and (two[1] > one[1] or not wanted)
        )
        share = (wanted - before) / (after - before) if after > before else 0.0
        found.append(before_s + share * (after_s - before_s))
    return found


def tenth(looks: Sequence[Look], messages: int, number: int) -> Look:
    """When the most memory was seen in a tenth, from 0 to 9, up to the first look at or after its end: what was decided meanwhile had
    its memory then. Raises AssertionError when nobody looked so late."""
    begin, end = number * messages, (number + 1) * messages
    late = next((look for look in looks if 10 * look.decided >= end), None)
    assert late is not None, f"nobody looked at the memory at the end of tenth {number + 1}"
    return max([late, *(look for look in looks if begin <= 10 * look.decided <= end)], key=lambda look: look.mb)
