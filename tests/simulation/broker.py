"""A broker of outcomes that is away now and then, and confirms some of what it was given: what it got is for the checks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.transport.contract import Outgoing
from schemas.errors import Retryable

if TYPE_CHECKING:
    from tests.simulation.world import World


class Broker:
    """`engine.transport.contract.Publisher` that remembers everything."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"broker {seed}")
        self.away = 0.2
        self.stream: list[Outgoing] = []

    def publish(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """All of them, a first few of them, or none. Raises Retryable."""
        if self._chance.random() < self.away:
            raise Retryable("the broker is away")
        taken = messages if self._chance.random() < 0.8 else messages[: self._chance.randrange(len(messages) + 1)]
        self.stream += taken
        return [message.row for message in taken]

    @staticmethod
    def behind(world: World) -> bool:
        """Whether outcomes wait to be published."""
        return bool(world.rows("SELECT 1 FROM outbox WHERE published = 0 LIMIT 1"))
