"""One world played and checked, as a value that travels between processes."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import structlog

from tests.simulation.checks import check
from tests.simulation.world import World


class Played(NamedTuple):
    """What became of a seed: `wrong` is empty when everything held."""

    seed: int
    wrong: str
    trace: bytes
    deaths: Counter[str]
    states: Counter[str]


def play(seed: int) -> Played:
    """Runs and checks one world. What fails is told, with its seed."""
    with structlog.testing.capture_logs(), _quiet():
        try:
            world = World(seed)
            world.run()
            check(world)
            wrong = ""
        except Exception as failure:
            wrong = f"{type(failure).__name__}: {failure}" if str(seed) in str(failure) else f"seed {seed}: {failure!r}"
            return Played(seed, wrong, b"", Counter(), Counter())
    states = Counter(str(row["state"]) for row in world.rows("SELECT state FROM effect"))
    states.update(
        str(row["name"])
        for row in world.rows("SELECT name FROM outbox WHERE name IN ('refund.unknown', 'effect.needs_person', 'refund.reversed')")
    )
    return Played(seed, wrong, world.trace(), world.luck.points, states)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
