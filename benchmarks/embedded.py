"""The whole embedded way: doors' append, decisions, records, transfers, outcomes; refunds sent to a provider in this process."""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import bare_loop
from benchmarks.checks import Expected, whole
from benchmarks.live import arrivals, batches
from benchmarks.measured import Measured, pragmas, rows_in, size_of, written
from benchmarks.messages import MERCHANT, REFUND, ids, order, payid, stream
from benchmarks.setting import Figures, Setting
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from connectors.psp.contract import Deadline
from engine.clock import ManualClock, micros
from engine.hub import Hub
from engine.lane import Ran
from engine.transport.contract import Taken
from schemas.effect import RecordKind

NOW = micros(datetime.fromisoformat("2026-07-21T08:00:00+00:00"))  # three days before arrival: half of line 1 goes back
_PAUSE = 10_000  # microseconds of the hub's own clock between two appends


class Timed(Hub):
    """A hub whose seconds are told apart. `drain` is its own; what it does not spend in the lanes it spends on requests."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.parts = dict.fromkeys(("append", "decide", "drain"), 0.0)

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Seconds of the block go to this part."""
        begun = time.perf_counter()
        yield
        self.parts[part] += time.perf_counter() - begun

    def run_lanes(self) -> Ran:
        with self.timing("decide"):
            return super().run_lanes()


def run(
    path: Path,
    names: Sequence[str],
    events: Sequence[bytes],
    *,
    bad: tuple[int, int] = (0, 0),
    watched: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Measured:
    """All events of these stays once, timed from the first durable append to the last outcome stored; then counted and checked to the
    cent.

    `bad`: how many of them are undecodable, and how many a rule refuses. `watched`: around what is timed, for a profiler.
    """
    providers, clock = AcceptingProviders(), ManualClock(NOW)
    hub = Timed(load(None, {}), str(path), providers, clock=clock)
    with closing(hub):
        with hub.database.write() as connection:
            changed, written_before = connection.total_changes, written()
        gc.collect()
        begun = time.perf_counter()
        with watched():
            taken = feed(hub, events, clock)
        seconds = time.perf_counter() - begun
        wrote = written() - written_before
        with hub.database.write() as connection:
            changed = connection.total_changes - changed
            told, rows = pragmas(connection), rows_in(connection)
        assert taken == Counter({Taken.ACCEPTED: len(events) - bad[0], Taken.DEAD: bad[0]}), taken
        check(hub, providers, names, bad)
    return Measured(
        inputs=len(events), seconds=seconds, rows=rows, bytes_=size_of(path), changed=changed, written=wrote, pragmas=told,
        parts={name: hub.parts[name] for name in ("append", "decide")} | {"effects": hub.parts["drain"] - hub.parts["decide"]},
    )  # fmt: skip


def feed(hub: Timed, events: Sequence[bytes], clock: ManualClock) -> Counter[Taken]:
    """Append by append; after each, everything that can be done is done, requests that came due included, as a live hub does beside
    its doors. How the events were taken."""
    taken = Counter[Taken]()
    for batch in batches(events):
        clock.advance(clock.now() + _PAUSE)
        made = arrivals(batch)
        with hub.timing("append"):
            receipts = hub.intake.append(made)
        taken.update(receipt.taken for receipt in receipts)
        with hub.timing("drain"):
            hub.drain()
    with hub.timing("drain"):
        hub.drain()
    return taken


def check(hub: Hub, providers: AcceptingProviders, names: Sequence[str], bad: tuple[int, int] = (0, 0)) -> None:
    """Everything was decided, every refund went out once, and the book is true; else there is no figure."""
    dead, refused = bad
    whole(hub.database, Expected.all(len(names))._replace(dead=dead, refused=refused))
    for name in names:
        shown = providers[MERCHANT].query(payid(name), order(name), Deadline.within(1)).records
        assert [(record.kind, record.minor) for record in shown] == [(RecordKind.REFUND, REFUND)], (name, shown)


def measure(setting: Setting) -> Figures:
    """`embedded_ratio` and what belongs to it: in every round the loop in both forms, the hub, the loop again."""
    ratios, hubs, loops = [], list[Measured](), list[Measured]()
    for number in range(setting.runs):
        seed = setting.seed + number
        names = ids(setting.stays, seed)
        events = list(stream(names, setting.lag))
        with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder:
            tried: dict[str, list[Measured]] = {name: [] for name in bare_loop.FORMS}
            for turn in range(2):
                for name, form in bare_loop.FORMS.items():
                    tried[name].append(bare_loop.run(Path(folder) / f"{name}-{turn}.sqlite", events, form))
                if not turn:
                    hubs.append(run(Path(folder) / "hub.sqlite", names, events))
        rates = {name: statistics.mean(one.rate for one in both) for name, both in tried.items()}
        best = max(rates, key=lambda name: rates[name])
        loops.append(tried[best][0])
        ratios.append(hubs[-1].rate / rates[best])
        told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in hubs[-1].parts.items())
        both = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in rates.items())
        setting.say(f"round {number + 1}: loop {both}; hub {hubs[-1].rate:,.0f}/s ({told}); {ratios[-1]:.3f}")
    hub, loop = hubs[-1], loops[-1]
    setting.say(
        f"both under journal_mode={hub.pragmas['journal_mode']}, synchronous={hub.pragmas['synchronous']} (FULL), read back"
    )
    return {
        "embedded_ratio": round(statistics.median(ratios), 4),
        "hub_per_s": round(statistics.median(one.rate for one in hubs)),
        "loop_per_s": round(statistics.median(one.rate / ratio for one, ratio in zip(hubs, ratios, strict=True))),
        "embedded_inputs": hub.inputs,
        "embedded_rounds": len(hubs),
        "rows_per_input": round(hub.rows / hub.inputs, 2),
        "bytes_per_input": round(hub.bytes_ / hub.inputs),
        "loop_rows_per_input": round(loop.rows / loop.inputs, 2),
        "loop_bytes_per_input": round(loop.bytes_ / loop.inputs),
        "rows_changed_per_input": round(hub.changed / hub.inputs, 2),
        "bytes_written_per_input": round(hub.written / hub.inputs),
        "loop_rows_changed_per_input": round(loop.changed / loop.inputs, 2),
        "loop_bytes_written_per_input": round(loop.written / loop.inputs),
    }
