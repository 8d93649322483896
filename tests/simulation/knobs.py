"""The house's settings: drawn at the start, and changed now and then, each time as a new version of the policy."""

from __future__ import annotations

import random
from functools import cache

import msgspec

from config.loader import load
from config.settings import Configuration
from schemas.notice import NoticeKind
from schemas.policy import TenderOrder
from tests.simulation.disk import image
from tests.simulation.house import House
from tests.simulation.plan import START


@cache
def shipped() -> tuple[Configuration, bytes]:
    """What worlds begin with: the shipped configuration, and the image of an empty store."""
    return load(None), image()


class Knobs:
    """The configuration in force, by luck."""

    def __init__(self, shipped: Configuration, chance: random.Random, house: House | None = None) -> None:
        self._shipped, self._chance, self.house = shipped, chance, house
        self.begins = house.begins if house is not None else START
        self._version = 0
        self.configuration = self.turned()

    def turned(self) -> Configuration:
        """Another configuration, with a new version of the house's policy."""
        chance, replace = self._chance, msgspec.structs.replace
        self._version += 1
        camp = replace(
            self._shipped.properties["camp-azur"],
            version=f"camp-azur/{self._version}",
            approval_above=chance.choice((None, None, None, None, 15_000)),
            override_above=chance.choice((None, 3_000)),
            tender_order=chance.choice(list(TenderOrder)),
            arrhes_double=chance.random() < 0.2,
            split_cap=chance.random() < 0.2,
            notices=tuple(NoticeKind) if self._version % 2 else (),
        )
        tenant = replace(
            self._shipped.tenants["azur"],
            day_sum=chance.choice((None, None, 200_000)),
            velocity_per_hour=chance.choice((None, 2)),
        )
        self.configuration = replace(
            self._shipped,
            properties={"camp-azur": camp},
            tenants={"azur": tenant},
            amqp=replace(self._shipped.amqp, url="amqp://nobody"),
            hub=replace(self._shipped.hub, dead_letter_days=10),
        )
        if self.house is not None:
            self.configuration = self.house.settled(self.configuration, self._version)
        return self.configuration
