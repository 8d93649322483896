"""The blows as people read them: by point, what stood in the store when they fell, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.kills.plan import RANDOM, Signal
from tests.kills.play import Struck
from tests.kills.points import POINTS


def table(struck: Sequence[Struck]) -> str:
    """One line a point, and their sum; docs/kills.md tells how to read it."""
    groups: dict[str, list[Struck]] = {}
    for one in struck:
        groups.setdefault(one.blow.point, []).append(one)
    head = f"{'struck':54} {'times':>5} {'/'.join(Signal):>24} {'in flight':>9} {'agree':>5} {'done in':>8}  requests found"
    lines = [head, "-" * len(head)]
    lines += [_line(point, groups[point]) for point in (*POINTS, RANDOM) if point in groups]
    ends = {one.act: one for one in struck}.values()
    stages = {one.act.rpartition(".")[0]: one for one in struck}.values()
    cents = [sum(sums) for sums in zip(*(one.sums for one in stages if one.sums is not None), strict=True)]
    lines.append(
        f"{len(struck)} blows, {sum(one.in_flight for one in struck)} between the first append and the last settled effect;"
        f" {sum(one.refunds for one in ends)} refunds asked for, {sum(one.by_person for one in ends)} of them settled by a person;"
        f" given back, in cents: provider {cents[0]}, ledger {cents[1]}, outcomes {cents[2]}"
    )
    return "\n".join(lines)


def _line(point: str, ones: Sequence[Struck]) -> str:
    by = Counter(one.blow.signal for one in ones)
    found: Counter[str] = Counter()
    for one in ones:
        found.update(one.found)
    return (
        f"{POINTS.get(point, 'at a random moment'):54} {len(ones):5} {'/'.join(str(by[one]) for one in Signal):>24}"
        f" {sum(one.in_flight for one in ones):9} {sum(one.reached and not one.wrong for one in ones):5}"
        f" {max(one.done_s for one in ones):6.1f} s  {' '.join(f'{count} {state}' for state, count in sorted(found.items()))}"
    )
