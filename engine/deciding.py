"""From a message to a verdict: facts are put together, one pure decision is asked, and what it raises is told apart by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from engine import notice_rows, operations, routes
from engine.address import reference_key, references_of
from engine.clock import instant
from engine.store.rows import Key, Waiting
from engine.verdict import Decided, Defective, Forwarded, Outdated, Parked, Refused, Verdict
from engine.watching import failing
from handlers.accounting import accounted
from handlers.approval import number_of
from handlers.notice import noticed
from handlers.outcome import Facts
from handlers.voucher_issue import numbered
from handlers.voucher_told import told_keys
from schemas import registry
from schemas.effect import EffectKind, EffectState
from schemas.envelope import folio_id
from schemas.errors import Early, Rejected, Retryable, Stale
from schemas.folio import Area, Folio, ReferenceState
from schemas.property_settings import PropertySettings, Suspension
from schemas.voucher_book import Voucher
from schemas.voucher_code import normalised

if TYPE_CHECKING:
    from engine.chunk import Chunk
    from engine.staging import Staged

_BINDS = frozenset({"booking.requested", "booking.confirmed"})
_AT_ONCE = routes.OF_BALANCES | {
    "cancellation.request", "cancellation.confirm", "cancellation.withdraw", "booking.cancel_with_voucher", "notice.resend",
}  # fmt: skip
"""Refused at once when nobody knows their booking; everything else waits for it (X-2)."""

log = structlog.get_logger(__name__)


def decide(chunk: Chunk, row: Waiting, message: Any, staged: Staged, *, condemned: str = "") -> Verdict:
    """One verdict. Never raises: a message that fails takes nothing else with it. `condemned`: a defect, for this reason."""
    try:
        if condemned:
            return Defective(condemned)
        if message is None:
            message = registry.decode_data(row.name, row.body)
        if row.name in operations.OPERATIONS:
            return operations.OPERATIONS[row.name](chunk, row, message)
        if row.name == "timer.fired" and message.kind == operations.PARKED_ALARM:
            return operations.parked_alarm(chunk, row, message)
        if row.kind == "reference":
            return _resolve(chunk, row, message)
        if row.name.startswith("booking."):
            _refuse_bound(chunk, row, message)
        facts = facts_of(chunk, row, message, staged)
        decided = routes.decision_of(row.name, message)(message, facts)
        return Decided(noticed(accounted(decided, facts), facts))
    except Early as early:
        return Parked(early.waits_for)
    except Stale as stale:
        return Outdated(str(stale))
    except Rejected as refused:
        return Refused(refused)
    except Exception as failure:
        if isinstance(failure, Retryable):
            raise
        log.exception("defect", **failing(row))
        return Defective(f"{type(failure).__name__}: {failure}")


def facts_of(chunk: Chunk, row: Waiting, message: Any, staged: Staged) -> Facts:
    """What a decision may know."""
    body = staged.body
    folio = body if isinstance(body, Folio) else None
    area = body if isinstance(body, Area) else None
    voucher = body if isinstance(body, Voucher) else _voucher(chunk, row, message, folio)
    received_at = instant(row.received_at)
    return Facts(
        message=row.message,
        name=row.name,
        source=row.source,
        tenant=chunk.settled.tenants[row.tenant],
        key=row.key,
        act=received_at if row.act == row.received_at else instant(row.act),
        received_at=received_at,
        policies=chunk.settled.policies,
        input_id=row.id,
        folio=folio,
        areas=(area,) if area else _areas(chunk, row, message, folio),
        voucher=voucher,
        effects=_effects(chunk, row) if _reads_effects(row, message, folio) else {},
        decided_at=instant(chunk.now) if row.name == "timer.fired" else None,
        settings=body if isinstance(body, PropertySettings) else None,
        suspensions=_suspensions(chunk, row, message, folio),
        said=notice_rows.said(chunk, row, message.notice) if row.name in routes.READS_NOTICES else {},
    )


def _reads_effects(row: Waiting, message: Any, folio: Folio | None) -> bool:
    if row.name in routes.READS_EFFECTS:
        return True
    if row.name not in routes.READS_WAITED or folio is None or not folio.effects:
        return False
    refunded = row.name == "reply.arrived" and message.kind == EffectKind.REFUND
    return not refunded or bool(folio.disputes) or any(payment.collected() < 0 for payment in folio.payments)


def _effects(chunk: Chunk, row: Waiting) -> Mapping[str, EffectState]:
    """Where each effect of the folio stands, for those that ask; kept in the record, since the log does not tell it."""
    states = chunk.staging.read.effect_states(row.tenant, row.key)
    chunk.shown = {effect: state.value for effect, state in states.items()}
    return states


def _areas(chunk: Chunk, row: Waiting, message: Any, folio: Folio | None) -> tuple[Area, ...]:
    """What is declared for the areas of the folio's property, where the decision asks for it (S4-36)."""
    if row.name not in routes.READS_AREAS or folio is None or message.cause not in routes.CAUSES_OF_AREAS:
        return ()
    policy = chunk.settled.policies.frozen_properties[folio.policy]
    bodies = (chunk.staging.state(Key(row.tenant, "area", area)).body for area in policy.areas)
    return tuple(body for body in bodies if isinstance(body, Area))


def _suspensions(chunk: Chunk, row: Waiting, message: Any, folio: Folio | None) -> tuple[Suspension, ...]:
    """What operators have said of the folio's property, where a balance is to be asked for (S1-36)."""
    if row.name != "timer.fired" or message.kind not in routes.READS_SUSPENSIONS or folio is None:
        return ()
    body = chunk.staging.state(Key(row.tenant, "property", folio.property)).body
    return body.suspensions if isinstance(body, PropertySettings) else ()


def _voucher(chunk: Chunk, row: Waiting, message: Any, folio: Folio | None) -> Voucher | None:
    """The book of the voucher that a folio's message names, where the decision asks for it: of several, the first with a value (A-15,
    S0-21, S0-31, S0-32)."""
    if row.name not in routes.READS_VOUCHERS:
        return None
    bodies = [chunk.staging.state(Key(row.tenant, "voucher", key)).body for key in _vouchers(row.name, message, folio)]
    books = [body for body in bodies if isinstance(body, Voucher)]
    return next((book for book in books if book.known), books[0] if books else None)


def _vouchers(name: str, message: Any, folio: Folio | None) -> tuple[str, ...]:
    """The voucher that a message numbers, or that the folio was cancelled for, or whose issue it grants; or those that it may tell as a
    payment."""
    if name in routes.TELLS_VOUCHERS:
        return told_keys(message, folio)
    key = normalised(number_of(folio, message.subject) if name == "approval.grant" else numbered(folio, message.number))
    return (key,) if key else ()


def _resolve(chunk: Chunk, row: Waiting, message: Any) -> Verdict:
    """From a name to its folio; a booking's first name makes one (design, way of a message, 3)."""
    references = references_of(row.name, message)
    for reference in references:
        body = chunk.staging.state(reference_key(row.tenant, reference)).body
        if isinstance(body, ReferenceState) and body.folio:
            return Forwarded(body.folio)
    first = references[0]
    if row.name in _BINDS:
        return Forwarded(folio_id(row.tenant, first.namespace, first.value))
    if row.name in _AT_ONCE:
        raise Rejected(
            f"no booking is known as {first.value!r} in {first.namespace!r}",
            code="unknown_folio",
            rule="X-2",
            field="references",
            value=first.value,
        )
    raise Early(f"{first.namespace}={first.value} is not bound", waits_for=f"{first.namespace}={first.value}")


def _refuse_bound(chunk: Chunk, row: Waiting, message: Any) -> None:
    """A second folio for a bound reference is refused."""
    for place, reference in enumerate(message.references):
        body = chunk.staging.state(reference_key(row.tenant, reference)).body
        if isinstance(body, ReferenceState) and body.folio not in ("", row.key):
            raise Rejected(
                f"{reference.namespace}={reference.value} is folio {body.folio}: name that folio, or another reference",
                code="reference_bound",
                rule="X-2",
                field=f"references[{place}]",
                value=reference.value,
            )
