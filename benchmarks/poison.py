"""What bad messages cost the good ones: the embedded way with one message in twenty undecodable or refused, against the same without.

Only good messages are counted as done; what the bad ones take is lost time.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import embedded
from benchmarks.messages import ids, message, stream
from benchmarks.setting import Figures, Setting

ONE_IN = 20


def _broken(event: dict[str, Any]) -> bytes:
    return msgspec.json.encode(event)[:-40]


def _without_currency(event: dict[str, Any]) -> bytes:
    del event["data"]["currency"]
    return msgspec.json.encode(event)


def _of_no_type(event: dict[str, Any]) -> bytes:
    return msgspec.json.encode(event | {"type": "foliohub.booking.dreamt.v1"})


def _under_no_terms(event: dict[str, Any]) -> bytes:
    for line in event["data"]["lines"]:
        line["terms"] = "outdoor/none"
    return msgspec.json.encode(event)


UNDECODABLE: tuple[Callable[[dict[str, Any]], bytes], ...] = (_broken, _without_currency, _of_no_type)
REFUSED: tuple[Callable[[dict[str, Any]], bytes], ...] = (_under_no_terms,)
_TURNS = (*UNDECODABLE, *REFUSED, *REFUSED)


def poisoned(events: Iterable[bytes], seed: int) -> Iterator[bytes]:
    """After every nineteen good messages a bad one, of each kind in turn, about a stay of its own."""
    luck = random.Random(-1 - seed)
    for number, event in enumerate(events, 1):
        yield event
        if number % (ONE_IN - 1) == 0:
            spoil = _TURNS[number // (ONE_IN - 1) % len(_TURNS)]
            yield spoil(msgspec.json.decode(message(0, f"{luck.getrandbits(64):016x}")))


def counted(good: int) -> tuple[int, int]:
    """How many undecodable and how many refused ones come between so many good ones."""
    turns = [_TURNS[place % len(_TURNS)] for place in range(1, good // (ONE_IN - 1) + 1)]
    return sum(turn in UNDECODABLE for turn in turns), sum(turn in REFUSED for turn in turns)


def measure(setting: Setting) -> Figures:
    """`poison_ratio`: in every round clean, poisoned, clean."""
    ratios, clean, bad = [], [], []
    for number in range(setting.runs):
        seed = setting.seed + number
        names = ids(setting.poison_stays, seed)
        good = list(stream(names, setting.lag))
        mixed = list(poisoned(good, seed))
        with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder:
            before = embedded.run(Path(folder) / "before.sqlite", names, good)
            spoilt = embedded.run(Path(folder) / "poisoned.sqlite", names, mixed, bad=counted(len(good)))
            after = embedded.run(Path(folder) / "after.sqlite", names, good)
        clean.append(statistics.mean((before.rate, after.rate)))
        bad.append(len(good) / spoilt.seconds)
        ratios.append(bad[-1] / clean[-1])
        dead, refused = counted(len(good))
        setting.say(
            f"round {number + 1}: clean {clean[-1]:,.0f}/s; with {dead} undecodable and {refused} refused among {len(mixed):,}"
            f" {bad[-1]:,.0f} good ones/s; {ratios[-1]:.3f}"
        )
    return {
        "poison_ratio": round(statistics.median(ratios), 3),
        "poison_clean_per_s": round(statistics.median(clean)),
        "poison_good_per_s": round(statistics.median(bad)),
        "poison_share": round(1 / ONE_IN, 3),
    }
