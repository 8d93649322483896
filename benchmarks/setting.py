"""How much is measured, where the stores lie, and whom progress is told."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.messages import LAG

Figures = dict[str, float | int]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of every measurement. `runs`: rounds of which the median is taken."""

    folder: Path
    runs: int = 3
    stays: int = 10_000
    lag: int = LAG
    refunds: int = 400
    threads: int = 8
    per_second: int = 50
    latency_s: int = 20
    documents: int = 500
    seed: int = 0

    def say(self, text: str) -> None:
        """Progress, for whoever watches."""
        print(f"  {text}", flush=True)
