"""What a world is for, by its seed: one script that most of its requests meet, and the combinations at which it is to die with it.

Luck alone would need millions of worlds for the rare ones. Each script has its turn every so many seeds, and each turn takes the next
few combinations of that script, so that all have been aimed at equally often; whatever else a death interrupts counts as well.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from tests.simulation.disk import Stands
from tests.simulation.points import CALLS, GENERAL, OF_EFFECTS, OF_PAYMENTS, POINTS
from tests.simulation.reach import unreachable
from tests.simulation.scripts import NEVER_CALLED, QUERIES, SCRIPTS

_T = TypeVar("_T")
FOCUS: Final = SCRIPTS
_PROVOKED: Final = frozenset({*GENERAL, *OF_PAYMENTS, "ask payment"})
"""Steps that can be brought about at any time, whatever state an effect is in."""
_TURNS: Final = {
    "planned": 4, "sending": 4, "accepted": 4, "confirmed": 3, "refused": 3, "unknown": 4, "needs_person": 5, "reversed": 5,
}  # fmt: skip
"""How many deaths a world provokes while one of its script's effects is in a state; more where few worlds come to it."""
_OWN: Final = 5
"""At how many of an effect's own combinations a world is to die when it comes to them."""


class Aim(NamedTuple):
    """A death to provoke: the point, and the effect at hand."""

    point: str
    effect: str


class Aims:
    """One world's share."""

    def __init__(self, seed: int) -> None:
        turn, number = divmod(seed, len(FOCUS))
        self.script = FOCUS[number]
        self.left: dict[str, deque[str]] = {}
        for state, many in _TURNS.items():
            points = [one for one in _shuffled(_points(_PROVOKED), state) if not unreachable(one, self.script, state)]
            self.left[state] = deque(points[(turn * many + n) % len(points)] for n in range(many)) if points else deque()
        own = [
            (point, state)
            for state in _TURNS
            for point in _points(frozenset({*OF_EFFECTS, *CALLS}) - _PROVOKED)
            if not unreachable(point, self.script, state)
        ]
        own = _shuffled(own, self.script)
        self.own = [own[(turn * _OWN + n) % len(own)] for n in range(min(_OWN, len(own)))]
        if self.script == NEVER_CALLED:
            self.own.append((("after mark", "before send")[turn % 2], "sending"))

    def next(self, standing: Mapping[str, Stands], scripts: Callable[[str, str, str], Sequence[str]]) -> Aim | None:
        """The next death to provoke as the effects stand."""
        for effect, stands in standing.items():
            left = self.left[stands.state]
            if left and (self.script in QUERIES or self.script in scripts("", effect, stands.state)):
                return Aim(left.popleft(), effect)
        return None


def _points(names: frozenset[str]) -> list[str]:
    return [point for point in POINTS if point.partition(" ")[2] in names]


def _shuffled(values: list[_T], salt: str) -> list[_T]:
    """Always the same way, so that neighbours in the table are not neighbours in a world."""
    values = list(values)
    random.Random(salt).shuffle(values)
    return values
