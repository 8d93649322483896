"""Simulated worlds as tests of their own, one a seed, so that each can be chosen by what it reaches."""

from __future__ import annotations

import pytest

from tests.simulation.playing import play

SEEDS = 40


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_world_holds(seed: int) -> None:
    """Nothing is lost, nothing is decided twice."""
    assert play(seed).wrong == ""
