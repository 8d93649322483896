"""`make bench`: how fast the embedded hub is, as a share of what the bare durable work allows on this machine, now.

Runs alternate and medians are taken; both stores lie on the same disk; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import sys
import tempfile
from pathlib import Path

import structlog

from benchmarks import bare_loop, embedded
from benchmarks.measured import Measured
from benchmarks.messages import stream


def main() -> int:
    """0 when every figure was verified."""
    given = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, verify, print; the last line is JSON.")
    given.add_argument("--stays", type=int, default=500, help="stays of one run of the hub, four messages each")
    given.add_argument("--runs", type=int, default=3, help="runs of each side; medians are taken")
    given.add_argument("--folder", type=Path, default=Path("var"), help="where the stores lie: a real disk")
    options = given.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # errors only
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}, stores in {options.folder}/")
    hubs: list[Measured] = []
    loops: list[Measured] = []
    for number in range(options.runs):
        events = list(stream(options.stays, number))
        bare = list(stream(options.stays * 4, number))  # the loop is short: more of the same
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as folder:
            loops.append(bare_loop.run(Path(folder) / "loop.sqlite", bare))
            hubs.append(embedded.run(Path(folder) / "hub.sqlite", events))
        told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in hubs[-1].parts.items())
        print(f"  run {number + 1}: loop {loops[-1].rate:8,.0f}/s   hub {hubs[-1].rate:8,.0f}/s   ({told})", flush=True)
    figures = _figures(hubs, loops)
    print(
        f"  both under journal_mode={hubs[0].pragmas['journal_mode']}, synchronous={hubs[0].pragmas['synchronous']} (FULL), read back"
    )
    print("  counts, balances and refunds verified in every run; inputs are external messages only")
    print(json.dumps(figures))
    return 0


def _figures(hubs: list[Measured], loops: list[Measured]) -> dict[str, float | int]:
    pairs = [hub.rate / loop.rate for hub, loop in zip(hubs, loops, strict=True)]
    without = [hub.inputs / (hub.seconds - hub.parts["effects"]) / loop.rate for hub, loop in zip(hubs, loops, strict=True)]
    hub, loop = hubs[-1], loops[-1]
    return {
        "embedded_ratio": round(statistics.median(pairs), 4),
        "embedded_without_effects_ratio": round(statistics.median(without), 4),
        "hub_per_s": round(statistics.median(one.rate for one in hubs)),
        "loop_per_s": round(statistics.median(one.rate for one in loops)),
        "rows_per_input": round(hub.rows / hub.inputs, 2),
        "bytes_per_input": round(hub.bytes_ / hub.inputs),
        "loop_rows_per_input": round(loop.rows / loop.inputs, 2),
        "loop_bytes_per_input": round(loop.bytes_ / loop.inputs),
        "inputs": hub.inputs,
        "runs": len(hubs),
    }


if __name__ == "__main__":
    sys.exit(main())
