"""How a hub is brought to a step, so that it may die there: a message to append, a restart for a claim, a day of housekeeping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.housekeeping import Housekeeping
from engine.hub import Hub
from engine.keys import DoorKeys
from engine.store.rows import SwitchRow
from engine.store.switches import Switches
from tests.simulation.aims import Aim
from tests.simulation.luck import IN_FLIGHT

if TYPE_CHECKING:
    from tests.simulation.world import World


class Deaths:
    """Ways to each step, by its name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ways: Mapping[str, Callable[[Aim], None]] = {
            "append": lambda aim: self._act(world.repeat_one),
            "chunk": lambda aim: self._act(self._chunk),
            "claim lanes": lambda aim: self._act(world.owners.stop),
            "note beside": lambda aim: self._act(world.owners.stop),
            "release lanes": lambda aim: self._act(world.owners.stop),
            "try alone": self._try_alone,
            "configuration": self._other_settings,
            "policies": self._other_settings,
            "new generation": self._moved,
            "drop identities": lambda aim: self._act(self._keep_house),
            "destroy keys": lambda aim: self._act(self._keep_house),
            "published": lambda aim: self._act(self._publish),
            "payout switch": lambda aim: self._act(self._switch),
            "door key": lambda aim: self._act(self._door_key),
            "door key revoked": lambda aim: self._act(self._door_key),
            "probe": lambda aim: self._act(lambda hub: hub.database.probe()),
            "late answer": lambda aim: self._act(lambda hub: world.owners.hear_again(hub, aim.effect)),
            "claim payment": self._callback,
            "payment learned": self._told_nothing,
            "payment again": self._callback,
            "ask payment": self._callback,
        }

    def provoke(self, aim: Aim) -> bool:
        """Come to a point and die there, if it can be; the next hub is there at once. Whether it died."""
        world = self._world
        world.luck.armed, world.owners.swift = aim.point, True
        try:
            self._ways[aim.point.partition(" ")[2]](aim)
            return not world.luck.armed
        finally:
            world.luck.armed, world.owners.swift = "", False

    def quietly(self, step: str) -> None:
        """The same without a death in mind."""
        self._ways[step](Aim("", ""))

    def _act(self, act: Callable[[Hub], None]) -> None:
        self._world.owners.alive(act)

    def _chunk(self, hub: Hub) -> None:
        self._world.repeat_one(hub)
        hub.run_lanes()

    def _keep_house(self, hub: Hub) -> None:
        Housekeeping(hub).once()

    def _publish(self, hub: Hub) -> None:
        world = self._world
        world.broker.away, away = 0.0, world.broker.away
        try:
            if not world.broker.behind(world):
                hub.intake.append([world.rubbish()])
                hub.run_lanes()
            world.owners.relay(hub)
        finally:
            world.broker.away = away

    def _switch(self, hub: Hub) -> None:
        """A command beside the hub."""
        world = self._world
        for stopped in (1, 0):
            row = SwitchRow("azur", stopped, "operator:ops", "look", world.clock.now())
            Switches(hub.database).set(row)

    def _door_key(self, hub: Hub) -> None:
        keys = DoorKeys(hub.database, self._world.clock)
        key, _ = keys.add("azur", "messages")
        keys.revoke(key.id)

    def _other_settings(self, aim: Aim) -> None:
        self._world.configuration = self._world.knobs.turned()
        self._act(self._world.owners.stop)

    def _moved(self, aim: Aim) -> None:
        """The store was put elsewhere; after a death before it was seen it is put back, for the story to go on as it was."""
        world = self._world
        world.disk.moved, world.disk.returns = True, aim.point.startswith("before")
        self._act(world.owners.stop)
        if world.disk.returns:
            world.disk.moved = world.disk.returns = False

    def _drain(self, hub: Hub) -> None:
        while hub.run_lanes().more:
            pass

    def _try_alone(self, aim: Aim) -> None:
        """Three deaths with the same message in flight, then it is tried alone."""
        world = self._world
        point, world.luck.armed, world.luck.reckless = world.luck.armed, "", True
        try:
            for _ in range(IN_FLIGHT + 1):
                world.luck.armed = "before chunk"
                self._act(self._chunk)
            world.luck.armed = point
            self._act(lambda hub: void(hub.run_lanes()))
        finally:
            world.luck.reckless = False

    def _callback(self, aim: Aim) -> None:
        world = self._world
        reference = world.disk.standing[aim.effect].reference
        world.notify(reference)
        for act in (world.post, self._drain, lambda hub: world.owners.carry_payment(hub, reference)):
            while not world.owners.alive(act) and world.luck.armed:
                pass

    def _told_nothing(self, aim: Aim) -> None:
        """A history that leaves in doubt what is in doubt: meanwhile the provider says of what was done that it does not know."""
        if aim.state not in ("unknown", "needs_person"):
            self._callback(aim)
            return
        with self._world.fate.uncertain(aim.effect):
            self._callback(aim)


def void(_: object) -> None:
    """For an act whose result nobody wants."""
