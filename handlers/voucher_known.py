"""Vouchers whose value the hub knows: registered by a PMS or the merchant, or issued here (S0-17, S0-26, S0-36). Amounts: minor units."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from handlers import account
from handlers.cancellation_right import HOUSE
from handlers.frozen import zone_of
from handlers.outcome import Facts, Outcome, Step, Timer
from handlers.penalty import start_of_day
from handlers.voucher_book import EXPIRY, ended
from handlers.voucher_expiring import warning_timers
from handlers.voucher_number import check_number
from handlers.voucher_worth import entity_of
from schemas.common import ActorKind
from schemas.errors import Rejected, Stale
from schemas.money import exponent
from schemas.policy import PropertyPolicy
from schemas.voucher import Funding, VoucherOrigin, VoucherRegister, VoucherRegistered
from schemas.voucher_book import HoldState, Voucher, VoucherHold
from schemas.voucher_code import normalised
from schemas.voucher_talk import VoucherIssue


def decide_register(message: VoucherRegister, facts: Facts) -> Outcome:
    """`voucher.register` (S0-17): the value of a code that a PMS or the merchant has made. What bookings have spent of it before
    is taken off.

    Raises Rejected `not_allowed`, `card_number_removed`, `unknown_currency`, `unknown_property`, `unknown_zone`, `duplicate_identity`,
    Stale for what is known.
    """
    if message.actor.kind not in HOUSE and message.actor.kind is not ActorKind.SYSTEM:
        text = f"{message.actor.kind.value} may not register a voucher"
        raise Rejected(text, code="not_allowed", rule="S0-17", field="actor", value=message.actor.kind.value)
    check_number(message.number)
    message = replace(message, currency=message.currency or facts.tenant.currency)
    _check_currency(message)
    policy = _property(message, facts)
    book = facts.voucher or Voucher(number=message.number.strip(), key=facts.key)
    if book.known:
        _check_same(message, book)
    spent = sum(hold.taken for hold in book.holds)
    zone = zone_of(policy, facts.tenant) if policy is not None else None
    after = replace(
        book,
        known=True,
        origin=VoucherOrigin.MERCHANT if message.origin is VoucherOrigin.MERCHANT else VoucherOrigin.PMS,
        value=message.value,
        left=max(0, message.value - spent),
        uncashable=message.value if message.funding is Funding.BONUS else 0,
        currency=message.currency,
        property=policy.property if policy is not None else "",
        entity=entity_of(policy, facts.tenant),
        scope=message.scope,
        funding=message.funding,
        vat_kind=message.vat_kind,
        vat_rate=message.vat_rate,
        vat_declared=message.vat_declared,
        holder=message.holder,
        expires=message.expires,
        expires_at=_end_of(message, zone, facts),
        holds=_covered(book.holds, max(0, message.value - spent)),
    )
    told = VoucherRegistered(
        number=after.number, value=after.value, expires=after.expires, currency=after.currency, origin=after.origin.value
    )
    amount = account.text(message.value, message.currency)
    out = Outcome(
        state=after,
        facts=(told,),
        timers=expiry_timer(after.key, after.expires_at),
        trace=(Step("S0-17", f"voucher {after.number}: {amount}, {after.origin.value}"),),
    )
    return ended(out, facts)


def _property(message: VoucherRegister, facts: Facts) -> PropertyPolicy | None:
    """X-12: whose voucher it is: the property that the message names, or the only one that the tenant has."""
    own = [policy for policy in facts.policies.properties.values() if policy.tenant == facts.tenant.tenant]
    if not message.property:
        return own[0] if len(own) == 1 else None
    policy = next((one for one in own if one.property == message.property), None)
    if policy is None:
        text = f"property {message.property!r} is not one of {facts.tenant.tenant!r}"
        raise Rejected(text, code="unknown_property", rule="X-12", field="property", value=message.property)
    return policy


def _check_currency(message: VoucherRegister) -> None:
    try:
        exponent(message.currency)
    except ValueError as why:
        raise Rejected(str(why), code="unknown_currency", rule="X-4", field="currency", value=message.currency) from why


def _check_same(message: VoucherRegister, book: Voucher) -> None:
    same = (message.value, message.currency, message.expires) == (book.value, book.currency, book.expires)
    if same and book.origin is not VoucherOrigin.ISSUED_HERE:
        raise Stale(f"voucher {book.number} is known", field="number", value=book.number)
    text = f"voucher {book.number} is known with {account.text(book.value, book.currency)}, {book.origin.value}"
    raise Rejected(text, code="duplicate_identity", rule="X-1", field="number", value=message.number)


def _end_of(message: VoucherRegister, zone: ZoneInfo | None, facts: Facts) -> datetime | None:
    """The instant after the last day, in the property's zone, or the tenant's (A-32)."""
    if message.expires is None:
        return None
    if zone is None and not facts.tenant.zone:
        text = "a voucher that expires needs a property, in whose zone its last day ends"
        raise Rejected(text, code="unknown_zone", rule="A-32", field="property", value=message.property)
    return start_of_day(message.expires + timedelta(days=1), zone or ZoneInfo(facts.tenant.zone))


def _covered(holds: tuple[VoucherHold, ...], left: int) -> tuple[VoucherHold, ...]:
    """Holds from before the value was known, first come first: none holds what is not there."""
    result = []
    for hold in holds:
        held = min(hold.held, left) if hold.state is HoldState.HELD else hold.held
        left -= held if hold.state is HoldState.HELD else 0
        result.append(replace(hold, held=held))
    return tuple(result)


def expiry_timer(key: str, at: datetime | None) -> tuple[Timer, ...]:
    """When the voucher's last day is over."""
    return (Timer(name=EXPIRY, due=at, kind=EXPIRY, subject=key),) if at is not None else ()


def decide_issue(message: VoucherIssue, facts: Facts) -> Outcome:
    """A booking was cancelled for this voucher (S0-26). The same again changes nothing."""
    if facts.voucher is not None and facts.voucher.issued_by == message.folio:
        raise Stale(f"voucher {message.number} is issued", field="number", value=message.number)
    book = Voucher(
        number=message.number,
        key=normalised(message.number),
        known=True,
        origin=VoucherOrigin.ISSUED_HERE,
        value=message.value,
        left=message.value,
        uncashable=message.uncashable,
        currency=message.currency,
        property=message.property,
        entity=message.entity,
        scope=message.scope,
        funding=Funding.BONUS if message.uncashable >= message.value else Funding.CASH,
        vat_kind=message.vat_kind,
        vat_rate=message.vat_rate,
        holder=message.holder,
        expires=message.expires,
        expires_at=message.expires_at,
        issued_by=message.folio,
        refund_on_expiry=message.refund_on_expiry,
    )
    amount = account.text(message.value, message.currency)
    step = Step("S0-26", f"voucher {message.number}: {amount}, good until {message.expires}")
    timers = (*expiry_timer(book.key, book.expires_at), *warning_timers(message.warn_at))
    return Outcome(state=book, timers=timers, trace=(step,))
