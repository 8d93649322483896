"""Worlds from seeds: whatever dies, is repeated, comes late or stays silent, everything holds (X-1 to X-6)."""

from __future__ import annotations

import pytest

from tests.simulation.playing import play

SEEDS = 200
SLICE = 20


@pytest.mark.parametrize("first", range(0, SEEDS, SLICE))
def test_worlds_hold(first: int) -> None:
    """Nothing is lost, nothing is decided twice, provider = ledger = outcomes to the cent. A seed that fails replays alone:
    `python -m tests.simulation --seeds 1 --from SEED`."""
    wrong = [one.wrong for one in map(play, range(first, first + SLICE)) if one.wrong]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("seed", [3, 17, 66, 107])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    """What is seen from outside is the seed's alone, byte by byte."""
    first, second = play(seed), play(seed)

    assert first.trace
    assert first.trace == second.trace


def test_worlds_are_not_peaceful() -> None:
    """The first worlds hold deaths, doubts and other people's refunds: a simulation of nothing proves nothing."""
    played = [play(seed) for seed in range(40)]
    points = sum((one.deaths for one in played), start=played[0].deaths - played[0].deaths)
    states = sum((one.states for one in played), start=played[0].states - played[0].states)

    assert {"before chunk", "after chunk", "before append", "after mark_sending", "after the call of querydirect"} <= points.keys()
    assert {"confirmed", "refused", "reversed", "refund.unknown", "effect.needs_person"} <= states.keys()
