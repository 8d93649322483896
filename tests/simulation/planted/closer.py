"""What must hold beside the rest, for bugs that leave everything in agreement with itself: a newer revision, sent before an older one
or after it, is not undone. And a world that a bug keeps from ending is ended soon."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import msgspec
import pytest

from tests.simulation import disk, playing
from tests.simulation.checks import Broken
from tests.simulation.world import World

_REVISED = ("booking.requested", "booking.confirmed", "booking.changed")
_MOST_COMMITS = 5_000  # of one world; without a bug they are some hundreds


def look_closer(patch: pytest.MonkeyPatch) -> None:
    """From here on, `play` looks at this too."""
    post, check = World.send, playing.check

    def posting(
        self: World, second: float, source: str, id_: str, name: str, data: dict[str, Any], *, actor: str = "system"
    ) -> None:
        post(self, second, source, id_, name, data, actor=actor)
        if name == "booking.changed":
            newer = {**data, "revision": 3, "lines": [{**data["lines"][0], "price": 777}, *data["lines"][1:]]}
            later = random.Random(f"{self.seed} {id_}").choice((-4_000, -10, 10, 500_000))
            post(self, second + later, source, f"{id_}-again", name, newer, actor=actor)

    def closely(world: World) -> None:
        check(world)
        if wrong := _revisions(world):
            raise Broken(f"seed {world.seed}:\n  " + "\n  ".join(wrong))

    patch.setattr(World, "send", posting)
    patch.setattr(disk, "MOST_COMMITS", _MOST_COMMITS)
    patch.setattr(playing, "check", closely)


def _revisions(world: World) -> list[str]:
    """What a folio was made of, by each source, has ever newer revisions."""
    wrong: list[str] = []
    last: defaultdict[tuple[str, str], int] = defaultdict(int)
    rows = world.rows(
        "SELECT decision.key, intake.source, intake.body, intake.id FROM decision JOIN intake ON intake.message = decision.message"
        " WHERE decision.kind = 'folio' AND decision.result = 'decided' AND intake.name IN (?, ?, ?) ORDER BY decision.seq",
        _REVISED,
    )
    for row in rows:
        revision = msgspec.json.decode(row["body"]).get("revision") or 0
        by = (row["key"], row["source"])
        if revision < last[by]:
            wrong.append(f"{row['id']} is revision {revision} and was taken after {last[by]}")
        last[by] = revision
    return wrong
