"""What a world is for, by its seed: one script that most of its requests meet, one state to which `fate` brings them, and the
combinations of both at which it is to die.

Luck alone would need millions of worlds for the rare ones. Each script has its turn every so many seeds, with one state after the
other, so that all have been aimed at equally often; whatever else a death interrupts counts as well.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from tests.simulation.disk import Stands
from tests.simulation.points import CALLS, GENERAL, OF_EFFECTS, OF_PAYMENTS, POINTS
from tests.simulation.reach import unreachable
from tests.simulation.scripts import NEVER_CALLED, QUERIES, SCRIPTS, answered

_T = TypeVar("_T")
FOCUS: Final = SCRIPTS
_PROVOKED: Final = frozenset({*GENERAL, *OF_PAYMENTS, "ask payment", "late answer"})
"""Steps that can be brought about at any time, whatever state an effect is in."""
_GOALS: Final = ("planned", "sending", "accepted", "confirmed", "refused", "unknown", "needs_person", "reversed")
_TWICE: Final = frozenset({*OF_PAYMENTS, "ask payment", "late answer", "try alone"})
"""Steps at which a death may fail to come, or be that of another effect: provoked once more."""
_BESIDE: Final[Mapping[str, int]] = {"confirmed": 4, "refused": 4, "needs_person": 4, "reversed": 4}
"""And in another state in which a request stays through a death: on the way to its own, none is to keep it from there."""
_LAST: Final = ("new generation", "payment learned", "claim payment", "payment again", "ask payment", "try alone")
"""Steps that may bring an effect out of its state: after all others."""
_EARLY: Final = ("planned", "sending")


class Aim(NamedTuple):
    """A death to provoke: the point, and the effect at hand."""

    point: str
    effect: str
    state: str = ""


class Aims:
    """One world's share."""

    def __init__(self, seed: int) -> None:
        self._again: set[Aim] = set()
        turn, number = divmod(seed, len(FOCUS))
        self.script = FOCUS[number]
        turn, place = divmod(turn, len(_GOALS))
        self.goal = _GOALS[place]
        early = self.goal in _EARLY
        self.patience = 3 if early or self.goal == "unknown" else 2
        """How many stays more a world is given for deaths that hang on a request of their own."""
        self.left = {
            state: self._share(state, turn, None if state == self.goal else _BESIDE.get(state, int(early))) for state in _GOALS
        }
        own = _points(frozenset({*OF_EFFECTS, *CALLS}) - {"ask payment"})
        self.own = [(point, self.goal) for point in own if not unreachable(point, self.script, self.goal)]
        heard = ("after answer", answered(self.script) or "unknown")
        if heard not in self.own and not early and not unreachable(heard[0], self.script, heard[1]):
            self.own.append(heard)
        if self.script == NEVER_CALLED:
            self.own.append(("before answer", "sending"))
        elif (self.goal != "unknown" or turn % 4 == 0) and self.goal not in _EARLY and answered(self.script) not in ("", self.goal):
            self.own.append((("after send", "before answer")[turn % 2], "sending"))

    def _share(self, state: str, turn: int, many: int | None) -> deque[str]:
        """The deaths to provoke in a state, `many` of all or everything."""
        points = [one for one in _shuffled(_points(_PROVOKED), state) if not unreachable(one, self.script, state)]
        if many is None:
            chosen = [*points, *(one for one in points if one.partition(" ")[2] in _TWICE)]
        else:
            chosen = [points[(turn * many + n) % len(points)] for n in range(min(many, len(points)))]
        last = _LAST[turn % len(_LAST) :] + _LAST[: turn % len(_LAST)]  # each is the first of the last in its turn
        return deque(sorted(chosen, key=lambda point: _rank(point, last)))

    def met(self) -> bool:
        """Whether a request of the script was in the state that the world is for, and every death there has been died."""
        return not self.left[self.goal]

    def again(self, aim: Aim) -> None:
        """It did not come to this death: after all others, once more."""
        if aim not in self._again:
            self._again.add(aim)
            self.left[aim.state].append(aim.point)

    def next(self, standing: Mapping[str, Stands], scripts: Callable[[str, str, str], Sequence[str]]) -> Aim | None:
        """The next death to provoke as the effects stand."""
        for effect, stands in standing.items():
            left = self.left.get(stands.state)
            if left and (self.script in QUERIES or self.script in scripts("", effect, stands.state)):
                return Aim(left.popleft(), effect, stands.state)
        return None


def _points(names: frozenset[str]) -> list[str]:
    return [point for point in POINTS if point.partition(" ")[2] in names]


def _rank(point: str, last: Sequence[str]) -> int:
    name = point.partition(" ")[2]
    return 1 + last.index(name) if name in last else 0


def _shuffled(values: list[_T], salt: str) -> list[_T]:
    """Always the same way, so that neighbours in the table are not neighbours in a world."""
    values = list(values)
    random.Random(salt).shuffle(values)
    return values
