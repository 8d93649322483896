"""What a process may do, where several share the work."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """One of the things that a process may do."""

    GATEWAY = "gateway"
    WORKER = "worker"
    EFFECTS = "effects"
    SCHEDULER = "scheduler"


EVERY: Final = frozenset(Role)
