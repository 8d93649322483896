"""`make bench`: how fast the hub is, as a share of what the bare work allows on this machine, now.

Sides alternate and medians are taken; all stores lie on the same disk; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from benchmarks import effects, embedded, latency, ota, profiling
from benchmarks.messages import LAG
from benchmarks.setting import Figures, Setting

MEASUREMENTS: Mapping[str, Callable[[Setting], Figures]] = {
    "embedded": embedded.measure,
    "effects": effects.measure,
    "latency": latency.measure,
    "ota": ota.measure,
}


def main() -> int:
    """0 when every figure was verified."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, verify, print; the last line is JSON.")
    parser.add_argument("--only", type=_names, default=tuple(MEASUREMENTS), help=f"some of {','.join(MEASUREMENTS)}")
    parser.add_argument("--runs", type=int, default=3, help="rounds of each measurement; medians are taken")
    parser.add_argument("--stays", type=int, default=10_000, help="embedded: stays of one round, four messages each")
    parser.add_argument("--lag", type=int, default=LAG, help="embedded: stays between a stay's first message and its next")
    parser.add_argument("--profile", action="store_true", help="no figures: tables of where the time of the embedded way goes")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="where the stores lie: a real disk")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # errors only
    options.folder.mkdir(parents=True, exist_ok=True)
    setting = Setting(folder=options.folder, runs=options.runs, stays=options.stays, lag=options.lag)
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}, stores in {options.folder}/")
    if options.profile:
        print(profiling.profile(setting))
        return 0
    figures: Figures = {}
    for name in options.only:
        print(name, flush=True)
        figures |= MEASUREMENTS[name](setting)
    print("counts, balances and refunds verified in every run")
    print(json.dumps(figures))
    return 0


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - MEASUREMENTS.keys():
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(MEASUREMENTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
