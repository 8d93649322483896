"""`python -m tests.simulation --seeds N --from S`: plays N worlds and prints the seeds that failed. One seed replays alone: `--seeds 1`.

Exit 0 when every world held, 1 when one did not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.playing import Played, play

SHOWN = 20  # failures that are told in full


def main(argv: Sequence[str] | None = None) -> int:
    """Plays, prints, and says whether all held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--trace", action="store_true", help="print what was seen from outside")
    given = parser.parse_args(argv)
    began = time.monotonic()
    seeds = range(given.first, given.first + given.seeds)
    deaths: Counter[str] = Counter()
    states: Counter[str] = Counter()
    failed = []
    for one in _all(seeds, given.jobs):
        deaths.update(one.deaths)
        states.update(one.states)
        if given.trace:
            sys.stdout.buffer.write(one.trace + b"\n")
        if one.wrong:
            failed.append(one.seed)
            if len(failed) <= SHOWN:
                print(one.wrong, flush=True)
    lasted = time.monotonic() - began
    print(f"{len(seeds)} worlds in {lasted:.1f} s ({len(seeds) / lasted:.0f} a second), {sum(deaths.values())} deaths")
    for title, counts in (("deaths", deaths), ("effects", states)):
        print(f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(f"{len(failed)} failed: {failed[:1000]}" if failed else "all held")
    return 1 if failed else 0


def _all(seeds: range, jobs: int) -> Sequence[Played]:
    if jobs == 1 or len(seeds) == 1:
        return [play(seed) for seed in seeds]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(play, seeds, chunksize=10))


if __name__ == "__main__":
    raise SystemExit(main())
