"""Whether a process of several can do what its roles say, and if not, why: asked at `/ready`. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engine.role import Role
from engine.store.contract import StoreAway
from schemas.errors import Retryable

if TYPE_CHECKING:
    from engine.roles import Member

PATIENCE_S: Final = 1.5  # for Kafka's answer


def unready(member: Member, lag: Callable[[], int]) -> dict[str, str]:
    """What is missing, by part; empty when all is well. `lag`: how many messages wait in its lanes. Raises StoreAway."""
    found: dict[str, str] = {}
    if member.producer is not None and member.roles & {Role.GATEWAY, Role.WORKER}:
        try:
            member.producer.probe(PATIENCE_S)
        except Retryable as away:
            found["kafka"] = away.message
    if Role.WORKER not in member.roles:
        return found
    if not member.settled():
        found["lanes"] = "not dealt out: some have no owner, and none is this process's"
    waiting, most = lag(), member.configuration.hub.ready_lag
    if waiting > most:
        found["lag"] = f"{waiting} messages wait in its lanes, more than [hub] ready_lag ({most})"
    return found


def asked(member: Member, lag: Callable[[], int]) -> dict[str, str]:
    """The same; a store that is away is a reason too."""
    try:
        return unready(member, lag)
    except StoreAway as away:
        return {"store": away.code}
