"""`python -m tests.simulation --seeds N --from S`: plays N worlds, prints the seeds that failed and what their deaths have covered. One
seed replays alone: `--seeds 1 --from SEED`.

Exit 0 when every world held, was the same when it was played again, and from 10,000 worlds on when nothing is missing in the
coverage; else 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.simulation.coverage import Coverage, impossible
from tests.simulation.playing import Played, play

SHOWN = 20  # failures that are told in full
EVERY_S = 30  # how often it says how far it is
TWICE = 10  # each so many-th world is played twice


def main(argv: Sequence[str] | None = None) -> int:
    """Plays, prints, and says whether all held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--trace", action="store_true", help="print what was seen from outside, in this process")
    parser.add_argument("--vouchers", action="store_true", help="worlds whose guests pay with vouchers too")
    parser.add_argument(
        "--families", action="store_true", help="worlds of all families: vouchers, balances, and mail that is carried"
    )
    parser.add_argument("--table", type=Path, help="write every combination with its count, or why there is none, to this file")
    given = parser.parse_args(argv)
    began = time.monotonic()
    if given.seeds < 1 or given.first < 0:
        parser.error(f"--seeds {given.seeds} --from {given.first}: at least one world, from 0 on")
    seeds = range(given.first, given.first + given.seeds)
    coverage = Coverage()
    digests: dict[int, str] = {}
    failed: list[int] = []
    told = began
    for number, one in enumerate(_all([*seeds, *seeds[::TWICE]], given)):
        if time.monotonic() - told > EVERY_S:
            told = time.monotonic()
            print(f"{number} worlds, {len(failed)} failed, {told - began:.0f} s", file=sys.stderr, flush=True)
        if one.seed not in digests:
            digests[one.seed] = one.digest
            coverage.add(one.combinations, one.deaths, one.states)
            sys.stdout.buffer.write(one.trace + b"\n" * given.trace)
        elif not one.wrong and digests[one.seed] != one.digest:
            one = one._replace(wrong=f"seed {one.seed}: played again, it was another world")
        if one.wrong:
            failed.append(one.seed)
            if len(failed) <= SHOWN:
                print(one.wrong, flush=True)
    lasted = time.monotonic() - began
    for line in coverage.summary():
        print(line)
    print("combinations that cannot be:")
    for line in impossible():
        print(line)
    if given.table is not None:
        given.table.parent.mkdir(parents=True, exist_ok=True)
        given.table.write_text("\n".join(coverage.whole()) + "\n", encoding="utf-8")
    print("effects: " + ", ".join(f"{name} {count}" for name, count in sorted(coverage.states.items())))
    wrong = coverage.wrong()
    short = coverage.short()
    for line in (wrong + short)[:100]:
        print(line)
    if len(wrong + short) > 100:
        print(f"... and {len(wrong + short) - 100} more")
    print(f"{len(seeds)} worlds in {lasted:.1f} s ({len(seeds) / lasted:.0f} a second), {coverage.points.total()} deaths")
    print(f"{len(set(failed))} failed: {sorted(set(failed))[:1000]}" if failed else "all held")
    return 1 if failed or wrong or short else 0


def _all(seeds: Sequence[int], given: argparse.Namespace) -> Iterator[Played]:
    if given.jobs == 1 or given.trace:
        yield from (play(seed, trace=given.trace, with_vouchers=given.vouchers, families=given.families) for seed in seeds)
        return
    spawn = multiprocessing.get_context("spawn")  # each with hash seeds of its own; some hundred worlds, then a fresh one
    with spawn.Pool(given.jobs, maxtasksperchild=20) as pool:
        yield from pool.imap(partial(play, with_vouchers=given.vouchers, families=given.families), seeds, chunksize=10)


if __name__ == "__main__":
    raise SystemExit(main())
