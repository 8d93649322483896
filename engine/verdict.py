"""How one decision ended: the cases of the design's table of what may go wrong, and the good one."""

from __future__ import annotations

from typing import NamedTuple

from handlers.outcome import Outcome
from schemas.errors import Rejected


class Decided(NamedTuple):
    """A rule said what follows. `outcome` may hold nothing."""

    outcome: Outcome


class Forwarded(NamedTuple):
    """The name is bound: the message goes on to its folio."""

    folio: str


class Refused(NamedTuple):
    """A rule said no."""

    error: Rejected


class Parked(NamedTuple):
    """Early: kept until what it waits for is here."""

    waits_for: str


class Outdated(NamedTuple):
    """Stale: recorded, nothing changes."""

    reason: str


class Defective(NamedTuple):
    """Our code or a constraint failed: a dead letter, its key blocked."""

    reason: str


class Operated(NamedTuple):
    """An operator's word about the engine's own affairs was carried out: `outcome` to publish, `replay` to decide next,
    `unblocks` the key that may go on."""

    outcome: Outcome
    replay: str = ""
    unblocks: str = ""


Verdict = Decided | Forwarded | Refused | Parked | Outdated | Defective | Operated
