"""`make bench`: how fast the hub is, as a share of what the bare work allows on this machine, now.

Sides alternate and medians are taken; all stores lie on the same disk; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from benchmarks import distributed, effects, embedded, growth, latency, mixed, ota, poison, profiling, sizes, soak, start, store
from benchmarks.setting import Figures, Setting

MEASUREMENTS: Mapping[str, Callable[[Setting], Figures]] = {
    "embedded": embedded.measure,
    "effects": effects.measure,
    "latency": latency.measure,
    "poison": poison.measure,
    "mixed": mixed.measure,
    "ota": ota.measure,
    "start": start.measure,
    "soak": soak.measure,
    "store": store.measure,
    "distributed": distributed.measure,
    "growth": growth.measure,
    "sizes": sizes.measure,
}
USUAL: Sequence[str] = tuple(name for name in MEASUREMENTS if name not in ("store", "distributed", "growth", "sizes"))
"""What is measured unless it is said: on one machine, without servers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every figure was verified; what cannot be verified raises AssertionError and prints no figure."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped, what was made is taken away
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # what goes wrong is found afterwards
    options.folder.mkdir(parents=True, exist_ok=True)
    setting = Setting(folder=options.folder.resolve(), runs=options.runs, stays=options.stays, lag=options.lag, soak=options.soak,
                      big_gb=options.gb, stored=options.messages, new=options.new)  # fmt: skip
    if options.small:
        setting = setting.small()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}, {os.cpu_count()} cores,"
          f" stores in {options.folder}/")  # fmt: skip
    if options.profile:
        print(profiling.profile(setting))
        return 0
    figures: Figures = {}
    for name in options.only:
        begun = time.monotonic()
        print(f"{name}: {_about(MEASUREMENTS[name])}", flush=True)
        figures |= MEASUREMENTS[name](setting)
        setting.say(f"{time.monotonic() - begun:.0f} s")
    print("Counts, balances and refunds were verified after every run.")
    print(json.dumps(figures))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    known = "\n".join(f"  {name:10}{_about(measure)}" for name, measure in MEASUREMENTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure, verify, print; the last line is one JSON object (docs/performance.md).\n\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Setting()
    parser.add_argument("--only", type=_names, default=USUAL, metavar="NAMES", help="some of these: effects,latency")
    parser.add_argument("--runs", type=int, default=usual.runs, help="rounds of each measurement; medians are taken (%(default)s)")
    parser.add_argument(
        "--stays", type=int, default=usual.stays, help="embedded: stays of a round, four messages each (%(default)s)"
    )
    parser.add_argument(
        "--lag", type=int, default=usual.lag, help="embedded: stays from a stay's message to its next (%(default)s)"
    )
    parser.add_argument("--gb", type=float, default=usual.big_gb, help="start: gigabytes of the store (%(default)s)")
    parser.add_argument("--soak", type=int, default=usual.soak, help="soak: messages (%(default)s)")
    parser.add_argument("--messages", type=int, default=usual.stored, help="growth: messages that are stored already (%(default)s)")
    parser.add_argument("--new", type=int, default=usual.new, help="growth: messages that are added (%(default)s)")
    parser.add_argument("--folder", type=Path, default=usual.folder, help="where the stores lie: a real disk (%(default)s)")
    parser.add_argument("--small", action="store_true", help="everything in seconds: whether it runs, not how fast")
    parser.add_argument("--profile", action="store_true", help="no figures: tables of where the time of the embedded way goes")
    return parser.parse_args(arguments)


def _about(measure: Callable[[Setting], Figures]) -> str:
    """The first sentence of a measurement's module."""
    text = sys.modules[measure.__module__].__doc__ or ""
    return " ".join(text.partition("\n\n")[0].split())


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - MEASUREMENTS.keys():
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(MEASUREMENTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
