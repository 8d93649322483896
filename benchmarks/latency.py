"""How long a caller waits: messages come to a real hub's HTTP door at their scheduled times, whatever the hub does, and ask to be
answered with what was decided.

A latency runs from the scheduled time, not from the sending, to the answer, which is given after the commit: a hub that falls behind is
charged for all that it kept waiting. Refunds are carried to a provider in a process of its own meanwhile.
"""

from __future__ import annotations

import http.client
import queue
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.checks import Expected, whole
from benchmarks.live import today
from benchmarks.messages import ids, stream
from benchmarks.processes import HubProcess, Provider
from benchmarks.setting import Figures, Setting
from engine.store.sqlite.database import Database

SENDERS = 32
_LAG = 40  # stays: a stay's messages are seconds apart


class Answered(NamedTuple):
    """One message: when it was to be sent, when it was sent and answered (seconds), and the answer."""

    due: float
    sent: float
    answered: float
    status: int
    body: bytes


def measure(setting: Setting) -> Figures:
    """`latency_p50_ms` and `latency_p99_ms`: medians of the rounds' percentiles."""
    halves, tails, worst, late = [], [], [], []
    for number in range(setting.runs):
        with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder:
            answers = one_round(setting, Path(folder), setting.seed + number)
        waits = sorted(1000 * (one.answered - one.due) for one in answers)
        halves.append(percentile(waits, 50))
        tails.append(percentile(waits, 99))
        worst.append(waits[-1])
        late.append(percentile(sorted(1000 * (one.sent - one.due) for one in answers), 99))
        setting.say(
            f"round {number + 1}: {len(waits)} messages, p50 {halves[-1]:.1f} ms, p99 {tails[-1]:.1f} ms, the longest {worst[-1]:.1f} ms"
            f" (p99 of sending late: {late[-1]:.1f} ms, counted in)"
        )
    return {
        "latency_p50_ms": round(statistics.median(halves), 1),
        "latency_p99_ms": round(statistics.median(tails), 1),
        "latency_longest_ms": round(max(worst), 1),
        "latency_late_p99_ms": round(statistics.median(late), 1),
        "latency_per_s": setting.per_second,
    }


def one_round(setting: Setting, folder: Path, seed: int) -> list[Answered]:
    """A new hub, its messages, and what they led to, verified."""
    stays = setting.per_second * (setting.warm_s + setting.latency_s) // 4
    names = ids(stays, seed)
    events = list(stream(names, min(_LAG, stays), today()))
    with Provider(folder, names) as provider, HubProcess(folder, provider, setting.threads) as hub:
        answers = send(hub, events, setting.per_second, seed)
        check(answers)
        hub.settled(stays)
        provider.agrees(names)
        path = hub.store
    with closing(Database(str(path), writer=False)) as store:
        whole(store, Expected.all(stays))
    return answers[setting.per_second * setting.warm_s :]


def send(hub: HubProcess, events: Sequence[bytes], per_second: int, seed: int) -> list[Answered]:
    """All messages at random times, `per_second` of them in the mean; answers in the order of the schedule."""
    luck = random.Random(seed)
    due, schedule = 0.5, []
    for _ in events:
        due += luck.expovariate(per_second)
        schedule.append(due)
    answers: list[Answered | None] = [None] * len(events)
    jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    begun = time.perf_counter()
    headers = {"Authorization": f"Bearer {hub.key}", "Content-Type": "application/cloudevents+json"}

    def carry() -> None:
        with closing(http.client.HTTPConnection(hub.host, hub.port, timeout=30)) as connection:
            while (place := jobs.get()) is not None:
                sent = time.perf_counter() - begun
                connection.request("POST", "/messages?wait=10s", events[place], headers)
                answer = connection.getresponse()
                body = answer.read()
                answers[place] = Answered(schedule[place], sent, time.perf_counter() - begun, answer.status, body)

    carriers = [threading.Thread(target=carry, daemon=True) for _ in range(SENDERS)]
    for carrier in carriers:
        carrier.start()
    for place, at in enumerate(schedule):
        time.sleep(max(0.0, begun + at - time.perf_counter()))
        jobs.put(place)
    for _ in carriers:
        jobs.put(None)
    for carrier in carriers:
        carrier.join()
    told = [answer for answer in answers if answer is not None]
    assert len(told) == len(events), f"{len(events) - len(told)} messages were never answered"
    return told


def check(answers: Sequence[Answered]) -> None:
    """Every answer is the outcome of a decision, not the word that one will come. Raises AssertionError."""
    for answer in answers:
        told = msgspec.json.decode(answer.body)
        assert answer.status == HTTPStatus.OK, (answer.status, told)
        assert told["outcomes"], told
        assert answer.due <= answer.sent <= answer.answered, answer[:3]


def percentile(values: Sequence[float], of: int) -> float:
    """The smallest of these sorted values that at least so many hundredths do not exceed."""
    return values[max(0, -(-len(values) * of // 100) - 1)]
