"""What many worlds have seen: how often each combination of crash point, provider script and effect state was met by a death, which
ones no world can come to, and what is missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.simulation.luck import Combination
from tests.simulation.points import NOT_PLAYED, POINTS, STATES, UNCOUNTED
from tests.simulation.reach import unreachable
from tests.simulation.scripts import SCRIPTS

WANTED: Final = 20
"""So often each combination is to be met in `WORLDS` worlds."""
WORLDS: Final = 10_000
DOUBTFUL: Final = 0.3
"""Share of worlds in which some request was in doubt."""


class Coverage:
    """Counts of many worlds."""

    def __init__(self) -> None:
        self.worlds = 0
        self.counts: Counter[Combination] = Counter()
        self.points: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.doubtful = 0

    def add(self, combinations: Mapping[Combination, int], points: Mapping[str, int], states: Mapping[str, int]) -> None:
        """One world's share."""
        self.worlds += 1
        self.counts.update(combinations)
        self.points.update(points)
        self.states.update(states)
        self.doubtful += states.get("ever unknown", 0) > 0

    def wrong(self) -> list[str]:
        """What was seen and cannot be: a rule is wrong, or a step has no place in the table."""
        found = [
            f"seen {count} times, and said to be impossible ({unreachable(*cell)}): {' | '.join(cell)}"
            for cell, count in sorted(self.counts.items())
            if unreachable(*cell)
        ]
        return found + [
            f"a durable step that the table does not know: {point}"
            for point in sorted(self.points.keys() - set(POINTS))
            if point.partition(" ")[2] not in UNCOUNTED
        ]

    def short(self) -> list[str]:
        """What a whole run lacks."""
        if self.worlds < WORLDS:
            return []
        found = [
            f"{self.counts[cell]} times, {WANTED} are wanted: {' | '.join(cell)}"
            for cell in _reachable()
            if self.counts[cell] < WANTED
        ]
        if self.doubtful < DOUBTFUL * self.worlds:
            found.append(f"{self.doubtful} of {self.worlds} worlds held a request in doubt, {DOUBTFUL:.0%} are wanted")
        return found

    def summary(self) -> Iterator[str]:
        """The table by crash point and state: so many scripts, and how often the rarest of them was met."""
        wide = max(map(len, POINTS))
        yield f"{'a death':<{wide}}" + "".join(f"{state:>14}" for state in STATES)
        for point in POINTS:
            yield f"{point:<{wide}}" + "".join(f"{self._cell(point, state):>14}" for state in STATES)
        cells = list(_reachable())
        counts = [self.counts[cell] for cell in cells]
        met = sum(count >= WANTED for count in counts)
        yield f"{len(cells)} combinations can be, {met} were met {WANTED} times or more, the rarest {min(counts)} times"
        yield f"{self.doubtful} of {self.worlds} worlds ({self.doubtful / max(1, self.worlds):.0%}) held a request in doubt"

    def _cell(self, point: str, state: str) -> str:
        counts = [self.counts[point, script, state] for script in SCRIPTS if not unreachable(point, script, state)]
        return f"{len(counts)} x {min(counts)}" if counts else "-"

    def whole(self) -> Iterator[str]:
        """Every combination with its count, or why there is none."""
        for point in POINTS:
            for script in SCRIPTS:
                for state in STATES:
                    cell = Combination(point, script, state)
                    yield "\t".join((*cell, str(self.counts[cell]), unreachable(*cell)))


def impossible() -> Iterator[str]:
    """Why combinations cannot be, and how many each reason takes out."""
    reasons: dict[str, list[Combination]] = defaultdict(list)
    for cell in _all():
        if reason := unreachable(*cell):
            reasons[reason].append(cell)
    for reason, cells in sorted(reasons.items(), key=lambda one: -len(one[1])):
        yield f"{len(cells):>6}  {reason}: {_names(cells)}"
    for step, reason in NOT_PLAYED.items():
        yield f"  none  {step} is no crash point: {reason}"
    for step, reason in UNCOUNTED.items():
        yield f"  none  {step} is not counted: {reason}"


def _names(cells: Sequence[Combination]) -> str:
    """Which, as short as it can be said."""
    said = []
    for number, every in ((0, POINTS), (1, SCRIPTS), (2, STATES)):
        names = [name for name in every if any(cell[number] == name for cell in cells)]
        word = ("points", "scripts", "states")[number]
        said.append(f"all {word}" if len(names) == len(every) else f"{len(names)} {word}" if len(names) > 9 else ", ".join(names))
    return "; ".join(said)


def _all() -> Iterator[Combination]:
    for point in POINTS:
        for script in SCRIPTS:
            for state in STATES:
                yield Combination(point, script, state)


def _reachable() -> Iterator[Combination]:
    return (cell for cell in _all() if not unreachable(*cell))
