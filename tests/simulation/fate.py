"""How a request of a world's script is brought to the state that the world is for, by what others may do at any time: the acquirer speaks,
somebody gives back in the back office, the provider cannot be asked for days.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from connectors.psp.ogone.simulator.books import Operation
from schemas.errors import Rejected
from tests.simulation.disk import Stands
from tests.simulation.provider import refunds_standing
from tests.simulation.scripts import QUERIES

if TYPE_CHECKING:
    from tests.simulation.world import World

_SAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "refund": {"accepted": "81", "confirmed": "8", "refused": "83", "reversed": "8"},
    "capture": {"accepted": "91", "confirmed": "9", "refused": "93", "reversed": "9"},
    "void": {"accepted": "61", "confirmed": "6", "refused": "63", "reversed": "6"},
}
"""By kind and by the state that a world is for: the status that brings a request in doubt there, or on the way."""
_OTHERWISE: Final = {"confirmed": "refused", "refused": "confirmed", "reversed": "confirmed", "needs_person": "confirmed"}
"""What is said of a request that had come to its end."""
_UNCERTAIN: Final = "92"
_GIVES: Final = frozenset({"8", "81"})
_TAKES_BACK: Final = {"refund": "83", "capture": "93", "void": "63"}
_OPERATIONS: Final = {"refund": ("RFD", "RFS"), "capture": ("SAL", "SAS"), "void": ("DEL", "DES")}


class Fate:
    """What others do to one request of a world, each thing once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._done: set[tuple[str, str]] = set()
        self._over = False
        self.nobody_answers = False  # no query about a request, until a person is asked

    def act(self) -> None:
        """A look at every request that the world is for."""
        world, goal = self._world, self._world.aims.goal
        if self._over or any(call.hub is world.hub for call in world.owners.calling):
            return
        asked_in_vain = False
        for effect, stands in world.disk.standing.items():
            if world.aims.script not in QUERIES and not world.in_focus(effect):
                continue
            if stands.state in ("unknown", "accepted") and goal == "needs_person":
                asked_in_vain = True
            elif stands.state in ("unknown", "accepted") and goal in _SAYS[stands.kind] and self._once(effect, stands.state):
                self._say(stands, effect, _SAYS[stands.kind][goal])
            elif stands.state == "confirmed" and goal == "reversed" and self._once(effect, "confirmed"):
                self._say(stands, effect, _TAKES_BACK[stands.kind])
                world.notify(stands.reference)
            elif stands.state == goal and goal in _OTHERWISE and self._learns(effect, stands):
                self._say(stands, effect, _SAYS[stands.kind][_OTHERWISE[goal]])
                world.notify(stands.reference)
        self.nobody_answers = asked_in_vain

    def _learns(self, effect: str, stands: Stands) -> bool:
        """Whether this world is yet to die before it learns of a request that its end was none, and of nothing before that."""
        world = self._world
        wanted = world.aims.met() and stands.state in world.luck.wants("learn")
        return wanted and self._can(effect, stands) and self._once(effect, stands.state)

    def _can(self, effect: str, stands: Stands) -> bool:
        """Whether the acquirer may still say yes to what came to nothing: it is known there (its money too: `_say`)."""
        return stands.state not in ("refused", "reversed") or self._level(stands, effect) is not None

    @contextlib.contextmanager
    def uncertain(self, effect: str) -> Iterator[None]:
        """For a while the acquirer is not sure of what the request did, or may have done."""
        world, stands = self._world, self._world.disk.standing[effect]
        shown = next(
            (one for one in world.provider.books.operations(stands.reference) if one.level == self._level(stands, effect)), None
        )
        if shown is not None:
            world.provider.provider.settle(stands.reference, shown.level, _UNCERTAIN, world.now())
        try:
            yield
        finally:
            if shown is not None:
                world.provider.provider.settle(stands.reference, shown.level, shown.status, world.now())

    def stop(self) -> None:
        """From here on everything goes as it goes by itself."""
        self._over, self.nobody_answers = True, False

    def _once(self, effect: str, state: str) -> bool:
        if (effect, state) in self._done:
            return False
        self._done.add((effect, state))
        return True

    def _say(self, stands: Stands, effect: str, status: str) -> None:
        """The acquirer settles what the request did; when it did nothing, somebody else does as much."""
        world = self._world
        provider, now = world.provider.provider, world.now()
        level = self._level(stands, effect)
        if level is not None and status in _GIVES and not self._may_give(stands, level):
            return
        with contextlib.suppress(Rejected):
            if level is not None:
                provider.settle(stands.reference, level, status, now)
            else:
                operation = _OPERATIONS[stands.kind][0]
                level = provider.back_office(stands.reference, operation, stands.minor, now, status=status)
            world.luck.trace.append(f"{world.seconds()} the acquirer says {status} of {stands.reference}/{level}")

    def _may_give(self, stands: Stands, level: int) -> bool:
        """Whether a refund stands, or may: what others gave back meanwhile is gone."""
        provider = self._world.provider
        standing = [one.level for one in refunds_standing(provider.books, stands.reference)]
        return stands.kind != "refund" or level in standing or provider.left(stands.reference) >= stands.minor

    def _level(self, stands: Stands, effect: str) -> int | None:
        """The operation that is the request's, or may be."""
        world = self._world
        owners = {
            row["level"]: row["owner"]
            for row in world.rows("SELECT level, owner FROM provider_record WHERE reference = ?", (stands.reference,))
        }

        def may_be(one: Operation) -> bool:
            owner = owners.get(str(one.level), "")
            own = owner == f"effect:{effect}"
            return own or (not owner and one.operation in _OPERATIONS[stands.kind] and one.minor == stands.minor and one.level > 0)

        return next((one.level for one in world.provider.books.operations(stands.reference) if may_be(one)), None)
