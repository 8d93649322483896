"""Changes that were looked at and are not made, each with its reason: `excused.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.mutants.changes import Change

FILE = Path(__file__).with_name("excused.toml")


class Excuse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which changes, and why. What is not said may be anything. `contains`: words that stand in what would stand there."""

    reason: str
    path: str | None = None
    function: str | None = None
    operator: str | None = None
    before: str | None = None
    after: str | None = None
    contains: str = ""

    def covers(self, change: Change) -> bool:
        """Whether it is about this one."""
        wanted = (self.path, self.function, self.operator, self.before, self.after)
        found = (change.path, change.function, change.operator, change.before, change.after)
        return (
            all(said is None or said == known for said, known in zip(wanted, found, strict=True)) and self.contains in change.whole
        )


def excuses() -> tuple[Excuse, ...]:
    """All of them."""
    return msgspec.convert(tomllib.loads(FILE.read_text()).get("excused", []), tuple[Excuse, ...])


def without_excused(changes: Iterable[Change]) -> list[Change]:
    """Those that no excuse is about."""
    known = excuses()
    return [change for change in changes if not any(excuse.covers(change) for excuse in known)]
