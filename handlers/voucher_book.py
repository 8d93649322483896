"""A voucher's own side: held, settled, released, given back, expired (S0-20 to S0-23, S0-28, S0-36). Whose value is known says
`handlers.voucher_known`.

Bookings and vouchers speak by internal messages; what a booking may ask when is `handlers.voucher_holds`. Amounts are minor units.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from handlers import account
from handlers.outcome import Facts, Internal, Outcome, Step, Timer, merge
from handlers.voucher_holds import NEXT, Ask, Move
from handlers.voucher_worth import can_hold, flags, free, hold_of, live, over, with_hold
from ledger import recipes
from schemas.common import Fact
from schemas.errors import Stale
from schemas.operations import TimerFired
from schemas.voucher import (
    Flag,
    VoucherConsumed,
    VoucherDuplicateFlagged,
    VoucherExpired,
    VoucherHeld,
    VoucherOrigin,
    VoucherReleased,
)
from schemas.voucher_book import HoldState, Voucher, VoucherHold
from schemas.voucher_talk import VoucherAnswered, VoucherAsked, VoucherMoneyGone, VoucherUnused

EXPIRY = "voucher_expiry"
HOLD_EXPIRY = "voucher_hold"
_ASKS = {
    "voucher.hold_asked": Ask.HOLD,
    "voucher.settle_asked": Ask.SETTLE,
    "voucher.release_asked": Ask.RELEASE,
    "voucher.credit_asked": Ask.CREDIT,
}
_ANSWERS = {Ask.HOLD: "voucher.hold_answered", Ask.SETTLE: "voucher.settle_answered", Ask.CREDIT: "voucher.credit_answered"}


def decide_asked(message: VoucherAsked, facts: Facts) -> Outcome:
    """`voucher.hold_asked`, `settle_asked`, `release_asked`, `credit_asked` (`facts.name`): what a booking wants of this voucher."""
    asks = _ASKS[facts.name]
    book = facts.voucher or Voucher(number=message.number, key=facts.key, currency=message.currency)
    hold = hold_of(book, message.folio)
    move = NEXT[hold.state if hold is not None else None, asks]
    match move:
        case Move.HOLD:
            return _hold(message, book, facts)
        case Move.TAKE:
            return _take(message, book, hold, facts)
        case Move.LET_GO:
            assert hold is not None
            return _let_go(book, hold, HoldState.RELEASED, message.reason, facts)
        case Move.GIVE_BACK:
            assert hold is not None
            return _give_back(message, book, hold, facts)
        case Move.BY_HAND:
            return Outcome(messages=(_answer(asks, message, book, 0, 0, reason="nothing of it was taken here"),))
        case Move.AGAIN:
            assert hold is not None
            return Outcome(messages=(_answer(asks, message, book, hold.taken, hold.held, flags(book, message, hold.held, facts)),))
        case Move.NOTHING:
            return Outcome(trace=(Step("X-1", f"voucher {book.number}: nothing of {message.folio} to {asks.value}"),))


def _answer(
    asks: Ask, message: VoucherAsked, book: Voucher, minor: int, held: int, warnings: tuple[Flag, ...] = (), reason: str = ""
) -> Internal:
    body = VoucherAnswered(
        key=book.key,
        minor=minor,
        held=held,
        known=book.known,
        origin=book.origin,
        flags=warnings,
        refund=message.refund,
        payment=message.payment,
        reason=reason,
    )
    return Internal(kind="folio", key=message.folio, name=_ANSWERS[asks], body=body)


def _hold(message: VoucherAsked, book: Voucher, facts: Facts) -> Outcome:
    """S0-20: each booking holds the smaller of what was typed and what is free, of a code that others made all that was typed; other live
    bookings of the number are told of."""
    held = message.minor if not book.known else 0 if over(book, facts.act) else min(message.minor, can_hold(book, message.currency))
    warnings = flags(book, message, held, facts)
    policy = facts.policies.properties.get(message.property)
    until = facts.act + timedelta(days=policy.voucher_hold_days) if policy is not None and book.known else None
    hold = VoucherHold(folio=message.folio, state=HoldState.HELD, asked=message.minor, at=facts.act, held=held, until=until)
    after = with_hold(book, hold)
    told: list[Fact] = []
    if book.known:
        told.append(
            VoucherHeld(
                folio=message.folio, number=book.number, amount=held, remainder=max(0, free(after)), currency=message.currency
            )
        )
    if Flag.DUPLICATE in warnings:
        told.append(VoucherDuplicateFlagged(folio=message.folio, number=book.number, folios=live(after)))
    amount = account.text(held, message.currency)
    rule = "S0-20" if Flag.DUPLICATE in warnings else "S0-22" if book.known else "S0-14"
    timers = (Timer(name=f"{HOLD_EXPIRY}:{message.folio}", due=until, kind=HOLD_EXPIRY, subject=message.folio),) if until else ()
    return Outcome(
        state=after,
        facts=tuple(told),
        messages=(_answer(Ask.HOLD, message, after, 0, held, warnings),),
        timers=timers,
        trace=(Step(rule, f"voucher {book.number}: {amount} held for {message.folio}"),),
    )


def _take(message: VoucherAsked, book: Voucher, hold: VoucherHold | None, facts: Facts) -> Outcome:
    """S0-21, S0-22: all that is asked for, or nothing: what the hold has lost meanwhile is not taken from elsewhere, and the
    booking is told what there is, which is held for it anew."""
    hold = hold or VoucherHold(folio=message.folio, state=HoldState.RELEASED, asked=message.minor, at=facts.act)
    holding = hold.held if hold.state is HoldState.HELD else 0
    there = holding + (0 if over(book, facts.act) else can_hold(book, message.currency)) if book.known else message.minor
    if there < message.minor:
        kept = with_hold(book, replace(hold, state=HoldState.HELD, held=there))
        text = f"{account.text(message.minor, message.currency)} are asked for, {account.text(there, message.currency)} are there"
        return Outcome(
            state=kept,
            messages=(_answer(Ask.SETTLE, message, kept, 0, there, flags(kept, message, there, facts)),),
            trace=(Step("S0-21", f"voucher {book.number}: {text}"),),
        )
    taken = replace(hold, state=HoldState.CONFIRMED, held=0, taken=hold.taken + message.minor, until=None)
    after = replace(with_hold(book, taken), left=book.left - message.minor if book.known else 0)
    remainder = max(0, free(after)) if book.known else None
    amount = account.text(message.minor, message.currency)
    rest = f", {account.text(remainder, message.currency)} are left" if remainder is not None else ""
    spent = VoucherConsumed(
        folio=message.folio, number=book.number, amount=message.minor, remainder=remainder, currency=message.currency
    )
    out = Outcome(
        state=after,
        facts=(spent,) if message.minor else (),
        messages=(_answer(Ask.SETTLE, message, after, message.minor, 0),),
        cancel=(f"{HOLD_EXPIRY}:{message.folio}",),
        trace=(Step("S0-22", f"voucher {book.number}: {amount} spent by {message.folio}{rest}"),),
    )
    return ended(out, facts)


def _let_go(book: Voucher, hold: VoucherHold, state: HoldState, reason: str, facts: Facts) -> Outcome:
    """S0-19: what was held is free again."""
    after = with_hold(book, replace(hold, state=state, held=0, until=None))
    remainder = max(0, free(after)) if book.known else None
    text = f"voucher {book.number}: hold of {hold.folio} {state.value}"
    told = VoucherReleased(
        folio=hold.folio,
        number=book.number,
        amount=hold.held,
        remainder=remainder,
        currency=book.currency,
        reason=reason or state.value,
    )
    out = Outcome(
        state=after,
        facts=(told,),
        cancel=(f"{HOLD_EXPIRY}:{hold.folio}",),
        trace=(Step("S0-19", text),),
    )
    return ended(out, facts)


def _give_back(message: VoucherAsked, book: Voucher, hold: VoucherHold, facts: Facts) -> Outcome:
    """S0-29: voucher value goes back to its voucher; of a code that others made, or one that has expired meanwhile, a person
    gives it back."""
    minor = min(message.minor, hold.taken)
    taken = hold.taken - minor
    settled = replace(hold, taken=taken, state=HoldState.CONFIRMED if taken else HoldState.RELEASED)
    reason = "" if book.known else "the code is not one whose value the hub keeps: issue it again"
    if book.known and over(book, facts.act):
        reason = f"the voucher was good until {book.expires}: issue its value again"
    after = with_hold(book, settled)
    if reason:
        return Outcome(
            state=None if book.known else after,  # what a person issues anew is spent here
            messages=(_answer(Ask.CREDIT, message, book, 0, 0, reason=reason),),
            trace=(Step("S0-29", f"voucher {book.number}: {reason}"),),
        )
    after = replace(after, left=book.left + minor)
    amount = account.text(minor, message.currency)
    told = VoucherReleased(
        folio=message.folio, number=book.number, amount=minor, remainder=max(0, free(after)), currency=message.currency,
        reason=message.reason or "given back",
    )  # fmt: skip
    return Outcome(
        state=after,
        facts=(told,),
        messages=(_answer(Ask.CREDIT, message, after, minor, 0),),
        trace=(Step("S0-29", f"voucher {book.number}: {amount} of {message.folio} came back to it"),),
    )


def ended(out: Outcome, facts: Facts) -> Outcome:
    """What is free of a voucher whose day is over expires with it (S0-23, S0-28)."""
    book = out.state
    if not isinstance(book, Voucher) or not book.known or not over(book, facts.act):
        return out
    return merge(out, _expired(book))


def _expired(book: Voucher) -> Outcome:
    """S0-28, S0-36: what is free is earned, but for money that goes back where `refund_on_expiry` says so: never more than money
    stands for, which is spent first. What of the bonus has expired is not taken off again when a hold ends later."""
    minor = max(0, free(book))
    if not minor:
        return Outcome(state=book)
    refund = max(0, minor - book.uncashable) if book.refund_on_expiry and book.issued_by else 0
    bonus = min(minor - refund, book.uncashable) if book.refund_on_expiry else 0
    after = replace(book, left=book.left - minor, expired=book.expired + minor, uncashable=book.uncashable - bonus)
    told = VoucherExpired(folio=book.issued_by, number=book.number, amount=minor, refund=refund, currency=book.currency)
    amount, back = account.text(minor, book.currency), account.text(refund, book.currency)
    own = book.origin is VoucherOrigin.ISSUED_HERE
    body = VoucherUnused(key=book.key, minor=refund) if refund else None
    return Outcome(
        state=after,
        facts=(told,),
        entries=recipes.voucher_expired(book.key, book.property, minor - refund, book.currency) if own else (),
        messages=(Internal(kind="folio", key=book.issued_by, name="voucher.unused", body=body),) if body is not None else (),
        trace=(Step("S0-28", f"voucher {book.number}: {amount} not used until {book.expires}, {back} goes back in money"),),
    )


def decide_expired(message: TimerFired, facts: Facts) -> Outcome:
    """The voucher's last day is over: what no booking holds expires; what is held stays held, it was presented in time."""
    book = facts.voucher
    if book is None or book.expires_at is None or message.due < book.expires_at:
        raise Stale("this voucher does not expire now", field="subject", value=message.subject)
    return _expired(book)


def decide_hold_expired(message: TimerFired, facts: Facts) -> Outcome:
    """A booking has held a voucher for `voucher_hold_days` and nobody has checked it: what it held is free again; a confirmation that comes
    after this holds anew, or is told that nothing is there."""
    book = facts.voucher
    hold = hold_of(book, message.subject) if book is not None else None
    if book is None or hold is None or NEXT[hold.state, Ask.LAPSE] is Move.NOTHING:
        raise Stale(f"{message.subject} holds nothing", field="subject", value=message.subject)
    return _let_go(book, hold, HoldState.EXPIRED, "", facts)


def decide_money_gone(message: VoucherMoneyGone, facts: Facts) -> Outcome:
    """S0-23, X-19: money that this voucher was issued for was taken back. It stays good; a merchant who checks it is warned."""
    book = facts.voucher
    if book is None:
        raise Stale("no such voucher was issued", field="folio", value=message.folio)
    amount = account.text(message.minor, book.currency)
    step = Step("S0-23", f"voucher {book.number}: {amount} of the money of {message.folio} were taken back")
    return Outcome(state=replace(book, money_gone=book.money_gone + message.minor), trace=(step,))
