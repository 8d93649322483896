"""Worlds from seeds: whatever dies, is repeated, comes late or stays silent, everything holds (X-1 to X-6)."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.coverage import DOUBTFUL, Coverage
from tests.simulation.playing import Played, play

pytestmark = pytest.mark.timeout(900)  # two minutes, unless the machine does something else as well
SEEDS = 300
TWICE = range(0, SEEDS, 25)


@pytest.fixture(scope="module")
def worlds() -> Iterator[list[Played]]:
    """Each world once, some a second time in another process."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield list(pool.map(play, [*range(SEEDS), *TWICE], chunksize=5))


def test_worlds_hold(worlds: list[Played]) -> None:
    """Nothing is lost, nothing is decided twice, provider = ledger = outcomes to the cent. A seed that fails replays alone:
    `make simulate SEEDS=1 FROM=seed`."""
    wrong = [one.wrong for one in worlds if one.wrong]

    assert not wrong, "\n".join(wrong)


def test_the_same_seed_gives_the_same_trace(worlds: list[Played]) -> None:
    """What is seen from outside is the seed's alone, byte by byte, whatever the process."""
    again = {one.seed: one.digest for one in worlds[SEEDS:]}

    assert len(again) == len(TWICE)
    assert {seed: worlds[seed].digest for seed in TWICE} == again


def test_worlds_are_not_peaceful(worlds: list[Played]) -> None:
    """These worlds hold deaths, doubts, older owners and other people's refunds: a simulation of nothing proves nothing."""
    coverage = Coverage()
    for one in worlds[:SEEDS]:
        coverage.add(one.combinations, one.deaths, one.states)

    assert {
        "before chunk",
        "after append",
        "before note beside",
        "after mark",
        "after send",
        "before late answer",
    } <= coverage.points.keys()
    assert {"confirmed", "refused", "reversed", "needs_person", "fenced"} <= {
        name for name, count in coverage.states.items() if count
    }
    assert coverage.doubtful >= DOUBTFUL * SEEDS


def test_no_death_is_where_none_can_be(worlds: list[Played]) -> None:
    """The rules that say which combinations cannot be are right, and every durable step has its place in the table."""
    coverage = Coverage()
    for one in worlds[:SEEDS]:
        coverage.add(one.combinations, one.deaths, one.states)

    assert coverage.wrong() == []
