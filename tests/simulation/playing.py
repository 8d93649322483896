"""One world played and checked, as a value that travels between processes."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from tests.simulation.checks import check
from tests.simulation.luck import Combination
from tests.simulation.vouchers import seen as seen_of_vouchers
from tests.simulation.world import World

_EXPECTED: Final = frozenset({"new_generation", "died_alone"})
"""What a hub may cry out about in a world: what it was made to meet."""


class Played(NamedTuple):
    """What became of a seed: `wrong` is empty when everything held. `digest` is the trace's; `trace` itself only when asked for."""

    seed: int
    wrong: str
    digest: str = ""
    trace: bytes = b""
    deaths: Mapping[str, int] = {}
    combinations: Mapping[Combination, int] = {}
    states: Mapping[str, int] = {}


def play(seed: int, *, trace: bool = False, with_vouchers: bool = False, families: bool = False) -> Played:
    """Runs and checks one world. What fails is told, with its seed."""
    with structlog.testing.capture_logs() as logs, _quiet():
        try:
            world = World(seed, with_vouchers=with_vouchers, families=families)
            world.run()
            _check_logs(seed, logs)
            check(world)
        except Exception as failure:
            told = f"{type(failure).__name__}: {failure}"
            return Played(seed, told if f"seed {seed}" in told else f"seed {seed}: {told}")
    seen = _seen(world)
    states = Counter(stands.state for stands in world.disk.standing.values())
    states.update({"ever unknown": len(world.disk.doubted), "fenced": world.owners.fenced})
    states.update(seen_of_vouchers(world) if world.with_vouchers else ())
    states.update(world.mails.seen() if world.mails is not None else ())
    states.update(world.asked.seen() if world.asked is not None else ())
    return Played(
        seed, "", hashlib.sha256(seen).hexdigest(), seen if trace else b"", world.luck.points, world.luck.combinations, states
    )


def _seen(world: World) -> bytes:
    """Everything that was seen from outside, in order: arrivals, deaths, outcomes, and the provider's books."""
    outcomes = [f"{row.name} {row.key} {row.body.decode()}" for row in world.outcomes()]
    books = msgspec.json.encode(world.provider.provider.shown(), order="sorted").decode()
    return "\n".join([*world.luck.trace, *outcomes, books]).encode()


def _check_logs(seed: int, logs: Sequence[Any]) -> None:
    """An error that the engine told only its log is an error."""
    for entry in logs:
        if entry["log_level"] in ("error", "critical") and entry["event"] not in _EXPECTED:
            raise AssertionError(f"seed {seed}: logged {entry}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
