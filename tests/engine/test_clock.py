"""The machine's clock, when somebody sets it."""

from __future__ import annotations

import pytest

from engine import clock
from engine.clock import SystemClock


class Machine:
    """A clock on the wall, and one that nobody sets; nanoseconds."""

    def __init__(self) -> None:
        self.wall, self.ticks = 1_000_000_000_000_000, 50_000_000_000

    def time_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.ticks

    def goes_on(self, seconds: float) -> None:
        self.wall += int(seconds * 1e9)
        self.ticks += int(seconds * 1e9)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(clock, "time", made)
    return made


def test_it_is_the_machines(machine: Machine) -> None:
    """As long as that goes forward, by however much."""
    ours = SystemClock()
    for seconds in (0, 0.001, 7, 100_000):
        machine.goes_on(seconds)
        assert ours.now() == machine.wall // 1000
    machine.wall += int(3600e9)
    assert ours.now() == machine.wall // 1000


def test_set_back_it_is_slower_and_never_still(machine: Machine) -> None:
    """Ten seconds back are made good in twenty; meanwhile time goes on."""
    ours = SystemClock()
    before = ours.now()
    machine.wall -= int(10e9)

    assert ours.now() == before
    machine.goes_on(4)
    assert ours.now() == before + 2_000_000
    machine.goes_on(15)
    assert before + 9_000_000 < ours.now() <= before + 9_500_000
    machine.goes_on(2)
    assert ours.now() == machine.wall // 1000


def test_each_look_counts(machine: Machine) -> None:
    """Who looks often sees the same as who looks once, to the microsecond of each look."""
    ours, seldom = SystemClock(), SystemClock()
    assert ours.now() == seldom.now()
    machine.wall -= int(3600e9)
    for _ in range(1_000):
        machine.goes_on(0.001)
        ours.now()

    assert 0 <= seldom.now() - ours.now() <= 1_000
