"""What goes wrong around the hub, by luck, beside deaths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.owners import SECOND

if TYPE_CHECKING:
    from tests.simulation.world import World


def trouble(world: World) -> None:
    """The worker is down and the door stays open; an owner is paused; no query is answered for days; the house keeps itself."""
    chance = world.chance
    for _ in range(chance.choice((0, 0, 1, 3))):
        length = chance.choice((600, 7_200, 200_000))
        begins = chance.randrange(0, 80 * 86_400)
        world.at(begins, lambda length=length: setattr(world, "down_until", world.clock.now() + length * SECOND))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        world.at(begins + length, lambda: None)
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        begins = chance.randrange(0, 80 * 86_400)
        world.at(begins, lambda: world.owners.pause())
        world.at(begins + chance.choice((5, 100, 100_000)), lambda: world.owners.wake())
    if chance.random() < 0.05:
        begins = chance.randrange(0, 80 * 86_400)
        world.at(begins, lambda: setattr(world, "queries_fail", True))
        world.at(begins + 3 * 86_400, lambda: setattr(world, "queries_fail", False))
    for day in range(chance.randrange(1, 40), 90, chance.choice((7, 30))):
        world.at(day * 86_400, lambda: world.deaths.quietly("drop identities"))
    for _ in range(chance.choice((0, 1, 3))):
        world.at(chance.randrange(0, 80 * 86_400), lambda: world.people.act())
