"""The simulation can see: each known bug, planted alone, is found within so many worlds that hold without it."""

from __future__ import annotations

import pytest

from tests.simulation.planted.bugs import BUGS, Bug
from tests.simulation.planted.closer import look_closer
from tests.simulation.planted.of_families import BUGS as OF_FAMILIES
from tests.simulation.playing import play

MOST = max(bug.seeds for bug in BUGS)


@pytest.fixture(autouse=True)
def _closer(monkeypatch: pytest.MonkeyPatch) -> None:
    look_closer(monkeypatch)


def test_these_worlds_hold_without_a_bug() -> None:
    """Otherwise nothing would be shown."""
    assert [told for seed in range(MOST) if (told := play(seed).wrong)] == []


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in BUGS])
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it does to messages and money."""
    bug.plant(monkeypatch)

    found = (told for seed in range(bug.seeds) if (told := play(seed).wrong))

    assert any(any(word in told for word in bug.says) for told in found)


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in OF_FAMILIES])
def test_a_bug_of_the_families_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it does to requests, mails and vouchers; tests/simulation/test_families_worlds.py shows that these worlds hold without."""
    bug.plant(monkeypatch)

    found = (told for seed in range(bug.first, bug.first + bug.seeds) if (told := play(seed, families=True).wrong))

    assert any(any(word in told for word in bug.says) for told in found)
