"""How a folio stands, for people and doors, without personal data, and without tokens and mandates: sums, what moved, what could be given
back now, what is asked for, and what cancelling now would give (S4-22, S4-23)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine.balances import asked, suspensions_of
from engine.clock import instant
from engine.cloudevents import event, time_of
from engine.hub import Hub
from engine.settled import Settled, tenant_of
from engine.staging import SHAPES
from engine.store import listing
from engine.store.reading import Reading
from engine.store.rows import Key, OutboxRow
from engine.transactions import moved_elsewhere, not_yet_collected, recoverable_now, transactions
from engine.unshown import guarded
from engine.vouchers import Listed, on_booking
from handlers import account
from handlers.balance_record import LIVE
from handlers.outcome import Facts
from handlers.quote import compute
from schemas.cancellation import Cause
from schemas.envelope import folio_id, uuid_bytes
from schemas.errors import Rejected
from schemas.folio import Area, Folio
from schemas.voucher_book import Voucher

MOST_OUTCOMES: Final = 1000
_FOLIO: Final = msgspec.json.Decoder(Folio)
_BOOK: Final = msgspec.json.Decoder(Voucher)
_EFFECTS: Final = (
    "SELECT id, kind, provider, merchant, payment, minor, currency, refund, state, reason, record,"
    " CASE WHEN state = 'planned' THEN needs_approval ELSE 0 END AS needs_approval FROM effect WHERE tenant = ? AND folio = ?"
    " ORDER BY created_at, id"
)
_NOTICES: Final = (
    "SELECT id, kind, attempt, audience, language, state, code, created_at, sent_at FROM notice WHERE tenant = ? AND folio = ?"
    " ORDER BY created_at, id"
)


def standing(hub: Hub, tenant: str, folio: str) -> dict[str, Any] | None:
    """A folio as JSON members; None when this tenant has none of that id. Amounts are minor units of `currency`."""
    return told(hub.reading, hub.settled, hub.clock.now(), tenant, folio)


def told(reading: Reading, settled: Settled, now: int, tenant: str, folio: str) -> dict[str, Any] | None:
    """The same of any open store, at instant `now` (microseconds), all of one state of the store."""
    with reading.view():
        return _told(reading, settled, now, Key(tenant, "folio", folio))


def _told(reading: Reading, settled: Settled, now: int, key: Key) -> dict[str, Any] | None:
    row = reading.state(key)
    if row is None or row["body"] is None:
        return None
    state = _FOLIO.decode(row["body"])
    decisions = reading.decisions_of(key)
    outcomes = reading.outcomes_of(decisions[-MOST_OUTCOMES:]) if decisions else []
    booked = reading.transfers_of(decisions) if moved_elsewhere(state) else []
    return {
        "folio": state.folio,
        "status": state.status.value,
        "blocked": row["blocked"],
        "currency": state.currency,
        "sums": {
            "ordered": account.ordered(state),
            "collected": account.collected(state),
            "balance": account.balance(state),
            "refundable": sum(payment.refundable() for payment in state.payments),
        },
        "not_yet_collected": not_yet_collected(state),
        "recoverable": recoverable_now(state),
        "if_cancelled_now": recoverable(reading, settled, state, now),
        "transactions": transactions(state, outcomes, booked),
        "balance_requests": _balance_requests(reading, state, settled, now, outcomes),
        "vouchers": _vouchers(reading, state),
        "notices": _notices(reading, key),
        "payments": guarded(state.payments),
        "refunds": state.refunds,
        "requests": state.requests,
        "effects": reading.rows(_EFFECTS, (key.tenant, key.key)),
        "state": guarded(msgspec.structs.replace(state, payments=(), refunds=(), requests=(), effects=())),
        "outcomes": [event(one) for one in outcomes],
    }


def _balance_requests(
    reading: Reading, folio: Folio, settled: Settled, now: int, outcomes: Sequence[OutboxRow]
) -> list[dict[str, Any]]:  # fmt: skip
    """S1-12: every balance request, those that are live first and then the latest, with when what was told of it."""
    if not folio.balance_requests:
        return []
    kept_back = suspensions_of(reading, folio.tenant, [folio.property]).get(folio.property, ())
    history: dict[str, list[dict[str, Any]]] = {request.request: [] for request in folio.balance_requests}
    for row in outcomes:
        if row.name.startswith("balance.") and (about := msgspec.json.decode(row.body).get("request")) in history:
            history[about].append({"outcome": row.name, "at": time_of(row.at), "sequence": row.sequence})
    told = [
        {
            **msgspec.structs.asdict(asked(folio, request, settled, now, kept_back)),
            "live": request.status in LIVE,
            "history": history[request.request],
        }
        for request in reversed(folio.balance_requests)
    ]
    return sorted(told, key=lambda one: not one["live"])


def _vouchers(reading: Reading, folio: Folio) -> list[Listed]:
    """S0-18: the booking's vouchers as the merchant's list has them."""
    keys = {voucher.key: Key(folio.tenant, "voucher", voucher.key) for voucher in folio.vouchers}
    bodies = listing.bodies(reading, keys.values()) if keys else {}
    books = {key.key: _BOOK.decode(body) for key, body in bodies.items()}
    return [on_booking(folio, key, books.get(key)) for key in keys]


def _notices(reading: Reading, key: Key) -> list[dict[str, Any]]:
    """What was written about it, to whom and what became of it; nobody's address."""
    rows = reading.rows(_NOTICES, (key.tenant, key.key))
    return [{**row, **{name: time_of(row[name]) if row[name] else "" for name in ("created_at", "sent_at")}} for row in rows]


def recoverable(reading: Reading, settled: Settled, state: Folio, now: int) -> dict[str, Any]:
    """S4-23: what a guest's cancellation of everything would give at instant `now`, with the arithmetic; or why there is none."""
    tenant, key = state.tenant, Key(state.tenant, "folio", state.folio)
    policy = settled.policies.frozen_properties.get(state.policy)
    areas = [_area(reading, tenant, area) for area in (policy.areas if policy else ())]
    facts = Facts(
        message=uuid_bytes(folio_id(tenant, "standing", state.folio)),
        name="cancellation.request",
        source="foliohub",
        tenant=tenant_of(settled, tenant),
        key=key.key,
        act=instant(now),
        received_at=instant(now),
        policies=settled.policies,
        folio=state,
        areas=tuple(area for area in areas if area is not None),
    )
    here: dict[str, Any] = {"at": time_of(now)}
    if not account.live_lines(state):
        return {**here, "refund": 0, "code": "already_cancelled", "message": "everything is cancelled"}
    try:
        found = compute(state, (), Cause.GUEST, facts)
    except Rejected as no:
        return {**here, "refund": 0, "code": no.code, "message": no.message}
    sums = {"refund": found.refund, "kept": found.kept, "claim": found.claim, "penalty": found.penalty, "waiting": found.waiting}
    return {**here, **sums, "lines": found.lines(), "arithmetic": [[step.rule, step.text] for step in found.trace]}


def _area(reading: Reading, tenant: str, area: str) -> Area | None:
    row = reading.state(Key(tenant, "area", area))
    if row is None or row["body"] is None:
        return None
    body = msgspec.json.decode(row["body"], type=SHAPES["area"][1])
    return body if isinstance(body, Area) else None
