"""Which blows fall, and in which company: every point often enough, at each signal, and as many at random moments."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from tests.kills.points import POINTS
from tests.kills.stage import LATE, NEVER, PENDING, RESET, SILENT, SLOW, UNCERTAIN

RANDOM = "random"
EACH = 5
AT_RANDOM = 65
LONGEST = 3  # blows before everything is to be done again: a message in flight at a fourth death would be taken for the cause
SPECIAL = (SILENT, PENDING, UNCERTAIN, SLOW, RESET, NEVER, LATE)
AFTER_THE_MARK = frozenset({"after-mark", "beside", "send", "connected", "half"})
OFTEN = frozenset({"append", "decide", "claim", "learn", "settle", "mark", "noted"})


class Signal(StrEnum):
    """KILL; STOP and after a while CONT; STOP and after a while KILL."""

    KILL = "KILL"
    STOP_CONT = "STOP CONT"
    STOP_KILL = "STOP KILL"


class Blow(NamedTuple):
    """One signal at one point, the n-th time that it is reached; `rest_s` between STOP and what follows; `at_start`: the point is laid
    into the process that follows the one before, else into the one that runs."""

    point: str
    signal: Signal
    nth: int
    rest_s: float
    at_start: bool


class Act(NamedTuple):
    """Blows one after the other, each with new folios, before everything is to be done; `prices` of each blow's folios."""

    blows: tuple[Blow, ...]
    prices: tuple[tuple[tuple[int, ...], ...], ...]


def acts(seed: int) -> list[Act]:
    """The whole plan."""
    luck = random.Random(f"kills {seed}")
    loose = [_blow(point, number, luck) for point in POINTS for number in range(EACH)]
    loose += [_blow(RANDOM, number, luck) for number in range(AT_RANDOM)]
    luck.shuffle(loose)
    groups = list(_in_company(loose, luck))
    luck.shuffle(groups)
    numbers = iter(range(10_000))
    return [Act(tuple(group), tuple(_prices(luck, numbers) for _ in group)) for group in groups]


def _blow(point: str, number: int, luck: random.Random) -> Blow:
    signal = (Signal.KILL, Signal.STOP_KILL, Signal.KILL, Signal.STOP_CONT, Signal.KILL)[number % 5]
    if point.endswith(("own", "doubt")) and signal is Signal.STOP_KILL:
        signal = Signal.KILL
    often = point.partition("-")[2] in OFTEN or point in ("query", "queried", "publish", "acknowledge")
    rest_s = luck.choice((0.05, 0.3, 1.0)) if signal is not Signal.KILL else 0.0
    return Blow(point, signal, luck.choice((1, 1, 2, 3)) if often else 1, rest_s, luck.random() < 0.5)


def _in_company(loose: list[Blow], luck: random.Random) -> Iterator[Sequence[Blow]]:
    """Some points are only reached when another blow fell before: a start needs a death, a doubt a sender that died."""
    starts = [blow for blow in loose if blow.point.endswith("own")]
    doubts = [blow for blow in loose if blow.point.endswith("doubt")]
    others = [blow for blow in loose if blow not in starts and blow not in doubts]
    senders = [blow for blow in others if blow.point in AFTER_THE_MARK and blow.signal is not Signal.STOP_CONT]
    for doubt in doubts:
        sender = senders.pop()
        others.remove(sender)
        yield sender, doubt._replace(at_start=True)
    deadly = [blow for blow in others if blow.signal is not Signal.STOP_CONT]
    for start in starts:
        first = deadly.pop()
        others.remove(first)
        yield first, start._replace(at_start=True)
    while others:
        yield [others.pop() for _ in range(min(luck.randint(1, LONGEST), len(others)))]


def _prices(luck: random.Random, numbers: Iterator[int]) -> tuple[tuple[int, ...], ...]:
    """Folios of one blow: a special one, one in two lines, a plain one. No two requests on one payment are of the same amount."""
    first, second, third, fourth = (next(numbers) for _ in range(4))
    return ((luck.choice(SPECIAL),), (10_000 + first, 20_000 + second), (30_000 + third,), (40_000 + fourth,))
