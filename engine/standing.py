"""How a folio stands, for people and doors: state without personal data, sums, what cancelling now would give (S4-22, S4-23)."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.clock import instant
from engine.cloudevents import event, time_of
from engine.hub import Hub
from engine.staging import SHAPES
from engine.store.rows import Key
from handlers import account
from handlers.outcome import Facts
from handlers.quote import compute
from schemas.cancellation import Cause
from schemas.envelope import folio_id, uuid_bytes
from schemas.errors import Rejected
from schemas.folio import Area, Folio

MOST_OUTCOMES = 1000


def standing(hub: Hub, tenant: str, folio: str) -> dict[str, Any] | None:
    """A folio as JSON members; None when this tenant has none of that id. Amounts are minor units of `currency`."""
    row = hub.reading.state(Key(tenant, "folio", folio))
    if row is None or row["body"] is None:
        return None
    state = msgspec.json.decode(row["body"], type=Folio)
    now = hub.clock.now()
    decisions = hub.reading.decisions_of(Key(tenant, "folio", folio))[-MOST_OUTCOMES:]
    effects = hub.reading.rows(
        "SELECT id, kind, provider, merchant, payment, minor, currency, refund, state, reason, record,"
        " CASE WHEN state = 'planned' THEN needs_approval ELSE 0 END AS needs_approval FROM effect WHERE tenant = ? AND folio = ?"
        " ORDER BY created_at, id",
        (tenant, folio),
    )
    return {
        "folio": folio,
        "status": state.status.value,
        "blocked": row["blocked"],
        "currency": state.currency,
        "sums": {
            "ordered": account.ordered(state),
            "collected": account.collected(state),
            "balance": account.balance(state),
            "refundable": sum(payment.refundable() for payment in state.payments),
        },
        "if_cancelled_now": recoverable(hub, tenant, state, now),
        "payments": state.payments,
        "refunds": state.refunds,
        "requests": state.requests,
        "effects": effects,
        "state": msgspec.structs.replace(state, payments=(), refunds=(), requests=(), effects=()),
        "outcomes": [event(one) for one in hub.reading.outcomes_of(decisions)] if decisions else [],
    }


def recoverable(hub: Hub, tenant: str, state: Folio, now: int) -> dict[str, Any]:
    """S4-23: what a guest's cancellation of everything would give at instant `now`, with the arithmetic; or why there is none."""
    settled = hub.settled
    key = Key(tenant, "folio", state.folio)
    policy = settled.policies.frozen_properties.get(state.policy)
    areas = [_area(hub, tenant, area) for area in (policy.areas if policy else ())]
    facts = Facts(
        message=uuid_bytes(folio_id(tenant, "standing", state.folio)),
        name="cancellation.request",
        source="foliohub",
        tenant=settled.tenants[tenant],
        key=key.key,
        act=instant(now),
        received_at=instant(now),
        policies=settled.policies,
        folio=state,
        areas=tuple(area for area in areas if area is not None),
    )
    told: dict[str, Any] = {"at": time_of(now)}
    if not account.live_lines(state):
        return {**told, "refund": 0, "code": "already_cancelled", "message": "everything is cancelled"}
    try:
        found = compute(state, (), Cause.GUEST, facts)
    except Rejected as no:
        return {**told, "refund": 0, "code": no.code, "message": no.message}
    sums = {"refund": found.refund, "kept": found.kept, "claim": found.claim, "penalty": found.penalty, "waiting": found.waiting}
    return {**told, **sums, "lines": found.lines(), "arithmetic": [[step.rule, step.text] for step in found.trace]}


def _area(hub: Hub, tenant: str, area: str) -> Area | None:
    row = hub.reading.state(Key(tenant, "area", area))
    if row is None or row["body"] is None:
        return None
    body = msgspec.json.decode(row["body"], type=SHAPES["area"][1])
    return body if isinstance(body, Area) else None
