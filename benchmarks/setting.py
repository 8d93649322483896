"""How much is measured, where the stores lie, and whom progress is told."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.messages import LAG

Figures = dict[str, float | int]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of every measurement; what each is for, and of which one, stands beside it."""

    folder: Path = Path("var")
    runs: int = 3  # rounds of which the median is taken
    seed: int = 0
    stays: int = 10_000  # embedded: of one round, four messages each
    lag: int = LAG  # embedded, poison: stays between a stay's first message and its next
    poison_stays: int = 3_000
    mixed_stays: int = 3_000  # mixed: of each run
    refunds: int = 400  # effects: of one side of one round
    threads: int = 8  # effects, latency, soak: calls to the provider at once
    per_second: int = 50  # latency: messages
    warm_s: int = 3  # latency: seconds of messages before the first that counts
    latency_s: int = 20
    documents: int = 500  # ota: of one turn
    soak: int = 100_000  # messages
    big_gb: float = 1.0  # start: size of the store
    big_stays: int = 2_000  # start: stays that are decided, then multiplied
    big_watch_s: float = 6.0  # start: messages one after the other, while housekeeping has its first round
    stored: int = 10_000_000  # growth: messages that lie in the store already
    new: int = 200_000  # growth: messages that are decided then, and on an empty store

    def small(self) -> Setting:
        """Everything in seconds: whether it runs and verifies, not how fast."""
        return msgspec.structs.replace(
            self,
            runs=1,
            stays=100,
            lag=10,
            poison_stays=100,
            mixed_stays=100,
            refunds=20,
            threads=4,
            warm_s=1,
            latency_s=2,
            documents=20,
            soak=4_000,
            big_gb=0.02,
            big_stays=200,
            big_watch_s=1.5,
            stored=1_600,
            new=400,
        )

    def say(self, text: str) -> None:
        """Progress, for whoever watches."""
        print(f"  {text}", flush=True)
