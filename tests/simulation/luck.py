"""When a hub dies: at each durable step and at each call of a provider luck is asked, and the seed answers.

A death is counted as a *combination* for every effect at hand: crash point, provider script, state of the effect in the store as the
next hub finds it. What is at hand is said by who asks (`disk`, `calls`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.simulation.scripts import NEVER_CALLED

IN_FLIGHT = 2  # deaths with the same message in flight: at three the engine suspects the message, which is a story of its own


class Crash(BaseException):
    """The process is gone. Nothing may catch it but the world."""


class Step(NamedTuple):
    """Something that may be interrupted: its name, and the effects at hand with the states that a death here leaves them in."""

    name: str
    effects: Sequence[tuple[str, str]]


class Combination(NamedTuple):
    """One cell of the coverage table."""

    point: str
    script: str
    state: str


class Luck:
    """Asked at each step. `armed`: the point at which to die next. `wanted`: (point, state) at which to die once when it comes to an
    effect of the script `focus`; `scripts` tells the scripts of an effect at a point."""

    def __init__(self, seed: int, chance: float, focus: str, wanted: Sequence[tuple[str, str]]) -> None:
        self._random = random.Random(f"luck {seed}")
        self._chance = chance
        self._focus = focus
        self._wanted: dict[str, set[str]] = {}
        for point, state in wanted:
            self._wanted.setdefault(point, set()).add(state)
        self.scripts: Callable[[str, str, str], Sequence[str]] = lambda point, effect, state: ()
        self.armed = ""
        self.in_flight = 0
        self.reckless = False
        self.points: Counter[str] = Counter()
        self.combinations: Counter[Combination] = Counter()
        self.trace: list[str] = []

    def wants(self, name: str) -> set[str]:
        """States in which this world is yet to die before or after a step of this name."""
        return {state for when in ("before", "after") for state in self._wanted.get(f"{when} {name}", ())}

    def hopes(self) -> bool:
        """Whether there is a combination at which this world was to die, and has not."""
        return any(self._wanted.values())

    def step(self, when: str, steps: Sequence[Step]) -> None:
        """Die here, or not; `when` is before or after."""
        if self.in_flight >= IN_FLIGHT and not self.reckless:
            return
        die = self._random.random() < self._chance
        for step in steps:
            point = f"{when} {step.name}"
            if point == self.armed or (point in self._wanted and self._is_wanted(point, step)):
                die = True
        if die:
            self._die(when, steps)

    def stop(self) -> None:
        """No more deaths: the world runs until it is quiet."""
        self._chance, self.armed, self._wanted = 0.0, "", {}

    def _is_wanted(self, point: str, step: Step) -> bool:
        states = self._wanted[point]
        for effect, state in step.effects:
            if state in states and self.focuses(self.scripts(point, effect, state), state):
                states.discard(state)
                return True
        return False

    def focuses(self, scripts: Sequence[str], state: str) -> bool:
        """Whether this world is for an effect of these scripts; what is never called has met a script before it died."""
        return self._focus in scripts or (self._focus == NEVER_CALLED and state == "sending")

    def _die(self, when: str, steps: Sequence[Step]) -> None:
        points = [f"{when} {step.name}" for step in steps]
        self.points.update(set(points))
        self.combinations.update(
            {
                Combination(point, script, state)
                for point, step in zip(points, steps, strict=True)
                for effect, state in step.effects
                for script in self.scripts(point, effect, state)
            }
        )
        self.trace.append("crash " + ", ".join(points))
        self.armed = ""
        raise Crash(points[0])
