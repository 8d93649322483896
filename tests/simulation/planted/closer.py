"""What must hold beside the rest, for bugs that leave everything in agreement with itself: a newer revision, sent before an older one
or after it, is not undone; nothing is sent under a lease that is over. And a world that a bug keeps from ending is ended."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pytest

from connectors.psp.contract import Deadline
from connectors.psp.ogone.client import OgoneConnector
from schemas.effect import EffectOrder, Reply
from tests.simulation import playing
from tests.simulation.checks import Broken
from tests.simulation.disk import Disk
from tests.simulation.world import World

_REVISED = ("booking.requested", "booking.confirmed", "booking.changed")
_MOST_WRITES = 5_000  # of one world; without a bug they are some hundreds


class Endless(AssertionError):
    """So many transactions, and no end in sight."""


def look_closer(patch: pytest.MonkeyPatch) -> None:
    """From here on, `play` looks at this too."""
    wrong: list[str] = []
    worlds: list[World] = []
    writes: Counter[Disk] = Counter()
    begin, post, check, write, send = World.__init__, World.send, playing.check, Disk.write, OgoneConnector.send

    def beginning(self: World, seed: int) -> None:
        worlds[:], wrong[:] = [self], []
        begin(self, seed)

    def posting(
        self: World, second: float, source: str, id_: str, name: str, data: dict[str, Any], *, actor: str = "system"
    ) -> None:
        post(self, second, source, id_, name, data, actor=actor)
        if name == "booking.changed":
            newer = {**data, "revision": 3, "lines": [{**data["lines"][0], "price": 777}, *data["lines"][1:]]}
            later = random.Random(f"{self.seed} {id_}").choice((-4_000, -10, 10, 500_000))
            post(self, second + later, source, f"{id_}-again", name, newer, actor=actor)

    def counting(self: Disk, *given: Any) -> AbstractContextManager[Any]:
        writes[self] += 1
        if writes[self] > _MOST_WRITES:
            raise Endless(f"{_MOST_WRITES} transactions, and no end")
        return write(self, *given)

    def sending(self: OgoneConnector, order: EffectOrder, deadline: Deadline) -> Reply:
        (row,) = worlds[0].rows("SELECT state, lease_until FROM effect WHERE id = ?", (order.effect,))
        if row["state"] != "sending" or row["lease_until"] < worlds[0].clock.now():
            wrong.append(f"effect {order.effect} is {row['state']} and its lease is over, and it is sent")
        return send(self, order, deadline)

    def closely(world: World) -> None:
        check(world)
        _revisions(world, wrong)
        if wrong:
            raise Broken(f"seed {world.seed}:\n  " + "\n  ".join(wrong))

    patch.setattr(World, "__init__", beginning)
    patch.setattr(World, "send", posting)
    patch.setattr(Disk, "write", counting)
    patch.setattr(OgoneConnector, "send", sending)
    patch.setattr(playing, "check", closely)


def _revisions(world: World, wrong: list[str]) -> None:
    """What a folio was made of, by each source, has ever newer revisions."""
    last: defaultdict[tuple[str, str], int] = defaultdict(int)
    rows = world.rows(
        "SELECT decision.key, intake.source, intake.body, intake.id FROM decision JOIN intake ON intake.message = decision.message"
        " WHERE decision.kind = 'folio' AND decision.result = 'decided' AND intake.name IN (?, ?, ?) ORDER BY decision.seq",
        _REVISED,
    )
    for row in rows:
        revision = msgspec.json.decode(row["body"])["revision"] or 0
        by = (row["key"], row["source"])
        if revision < last[by]:
            wrong.append(f"{row['id']} is revision {revision} and was taken after {last[by]}")
        last[by] = revision
