"""What the simulated provider refuses by itself, and which calls a script's rule is about. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connectors.psp.ogone.simulator.answers import kind_of, stands
from connectors.psp.ogone.simulator.books import Operation
from connectors.psp.ogone.simulator.script import Endpoint, When
from schemas.effect import RecordKind

DAY_MS = 86_400_000


class _Asked(Protocol):
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def order_id(self) -> str: ...
    @property
    def payid(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def minor(self) -> int | None: ...
    @property
    def level(self) -> str: ...


def matches(when: When, asked: _Asked) -> bool:
    """Whether a rule is about a call, its number aside."""
    return (
        when.endpoint in (None, asked.endpoint)
        and (not when.operation or asked.operation in when.operation)
        and when.order in ("", asked.order_id)
        and when.payid in ("", asked.payid)
        and when.amount in (None, asked.minor)
        and when.level in ("", asked.level or "latest")
    )


def _sum(history: Sequence[Operation], kind: RecordKind) -> int:
    return sum(o.minor for o in history if _was(o) is kind and stands(o))


def _was(operation: Operation) -> RecordKind:
    """What was asked for: a refund whose status is a payment's (91, 92) takes of what was captured all the same."""
    return RecordKind.REFUND if operation.operation in ("RFD", "RFS") else kind_of(operation)


def _closed(history: Sequence[Operation], operation: str) -> bool:
    return any(o.operation == operation and stands(o) for o in history)


def left(history: Sequence[Operation], operation: str) -> int:
    """What an operation without an amount is about: all that is left, in minor units."""
    captured = _sum(history, RecordKind.CAPTURE)
    if operation in ("RFD", "RFS"):
        return captured - _sum(history, RecordKind.REFUND)
    authorised = _sum(history[:1], RecordKind.AUTHORISATION)
    return authorised - captured if authorised else captured


def refusal(history: Sequence[Operation], operation: str, minor: int, now_ms: int) -> str:
    """The NCERROR of an operation that the payment's history does not allow, or nothing."""
    captured = _sum(history, RecordKind.CAPTURE)
    refunded = _sum(history, RecordKind.REFUND)
    authorised = _sum(history[:1], RecordKind.AUTHORISATION)
    voided = any(kind_of(o) is RecordKind.VOID and stands(o) for o in history)
    match operation:
        case "RFD" | "RFS":
            if captured == 0 or voided or _closed(history, "RFS"):
                return "50001127"
            return "50001129" if refunded + minor > captured or minor <= 0 else ""
        case "SAL" | "SAS":
            if authorised == 0 or voided or _closed(history, "SAS"):
                return "50001127"
            return "50001126" if captured + minor > authorised or minor <= 0 else ""
        case "DEL" | "DES":
            fresh = all(now_ms - o.at_ms < DAY_MS for o in history if _was(o) is RecordKind.CAPTURE)
            if voided or refunded or not (authorised or captured) or (captured and not fresh):
                return "50001127"
            return ""
        case "REN":
            return "" if authorised and not captured and not voided else "50001127"
        case _:
            return "50001186"


def shown_status(history: Sequence[Operation], operation: str) -> str:
    """The status that differs from an operation's usual one: deleting what was captured today is a payment deletion, 7."""
    deletes = operation in ("DEL", "DES")
    return "7" if deletes and _sum(history, RecordKind.CAPTURE) else ""
