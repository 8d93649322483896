"""Vouchers of a booking, checked by the merchant, who is reminded (S0-15 to S0-23, S0-35). Entering them is `handlers.voucher_enter`.

What a check comes to is `handlers.voucher_accept` and `handlers.voucher_decline`; the voucher's own side is `handlers.voucher_book`.
"""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account
from handlers.approval import dropped, of_check, put, subject_of
from handlers.booking import BOOKING
from handlers.cancellation_right import HOUSE, who
from handlers.frozen import property_policy
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.voucher_accept import agreed, check_requested, no_top_up
from handlers.voucher_decline import not_accepted
from handlers.voucher_enter import waits_for
from handlers.voucher_number import check_number
from handlers.voucher_release import TOP_UP
from handlers.voucher_schedule import replace_voucher, voucher_of, waiting
from schemas.common import Actor, ActorKind
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, FolioStatus, PaymentStatus
from schemas.folio_approval import FolioApproval
from schemas.folio_voucher import FolioVoucher
from schemas.operations import TimerFired
from schemas.voucher import (
    Stage,
    Verdict,
    VoucherCheck,
    VoucherConsent,
    VoucherConsented,
    VoucherOrigin,
    VoucherStatus,
)
from schemas.voucher_code import normalised, ours, shaped_as_ours
from schemas.voucher_talk import VoucherAnswered


def decide_held(message: VoucherAnswered, facts: Facts) -> Outcome:
    """The voucher's own book has answered: the merchant is asked to check, with number, amount and warnings (S0-16, S0-20 to S0-23)."""
    folio = facts.folio
    voucher = voucher_of(folio, message.key) if folio is not None else None
    if folio is None or voucher is None or voucher.status is not VoucherStatus.PENDING_CHECK:
        raise Stale(f"voucher {message.key} is not waited for", field="key", value=message.key)
    origin = message.origin if message.known else voucher.origin
    now = replace(voucher, held=message.held, known=message.known, origin=origin, flags=message.flags)
    text = f"voucher {voucher.number}: origin {origin.value}, {', '.join(flag.value for flag in message.flags) or 'no warning'}"
    return Outcome(
        state=replace_voucher(folio, now),
        facts=(check_requested(folio, now, Stage.ASKED),),
        trace=(Step("S0-16", text),),
        policy_version=folio.policy,
    )


def decide_check(message: VoucherCheck, facts: Facts, *, granted: int = 0) -> Outcome:
    """`voucher.check` (S0-15, S0-19, S0-21): accepted, refused, worth less, or accepted with the house's goodwill, of which what is above
    `override_above` and not `granted` waits for a second person (S4-46). Another check of the voucher takes its place.

    Raises Early for a booking or a voucher that is not here yet, Stale for what was said before, Rejected `not_allowed`,
    `voucher_number_missing`, `voucher_number_mistyped`, `voucher_checked`, `already_cancelled`, `value_out_of_range`,
    `voucher_value_exceeded`.
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking of this voucher is not here yet", waits_for=BOOKING)
    _check_house(message.actor, "check a voucher", "S0-15")
    check_number(message.number)
    voucher = _meant(message, folio)
    _check_open(message, folio, voucher)
    if message.origin is not VoucherOrigin.UNKNOWN and not voucher.known:
        voucher = replace(voucher, origin=VoucherOrigin.MERCHANT if message.origin is VoucherOrigin.ISSUED_HERE else message.origin)
    voucher = replace(voucher, verdict=_said(message))
    if message.verdict is Verdict.REFUSED:
        return not_accepted(
            replace_voucher(folio, voucher), voucher.key, message.reason or "voucher refused", who(message.actor), facts
        )
    take, goodwill = _worth(message, voucher, folio)
    if why := _too_much(goodwill, folio, facts, granted):
        return put(folio, _waits(message, voucher, goodwill, why, folio, facts), facts, "S4-46")
    unasked = dropped(folio, of_check(folio, voucher.key))
    done = agreed(account.changed(no_top_up(folio_of(unasked), voucher)), voucher, take, goodwill, facts)
    step = Step("S0-15", f"voucher {voucher.number}: {message.verdict.value} by {who(message.actor)} {message.reason}".rstrip())
    first = replace(unasked, trace=(step, *unasked.trace), policy_version=folio.policy)
    return merge(first, done)


def _waits(message: VoucherCheck, voucher: FolioVoucher, goodwill: int, why: str, folio: Folio, facts: Facts) -> FolioApproval:
    """S4-46: this check, once a second person grants its goodwill."""
    check = replace(message, number=voucher.number)
    return FolioApproval(
        subject=subject_of(folio, facts.id("approval")),
        minor=goodwill,
        reason=why,
        asked_by=who(message.actor),
        asked_at=facts.act,
        check=check,
    )


def _said(message: VoucherCheck) -> str:
    return f"{message.verdict.value}:{message.value}" if message.value is not None else message.verdict.value


def _check_house(actor: Actor, what: str, rule: str) -> None:
    if actor.kind not in HOUSE and actor.kind is not ActorKind.SYSTEM:
        text = f"{actor.kind.value} may not {what}: it is for the merchant, the platform or an operator"
        raise Rejected(text, code="not_allowed", rule=rule, field="actor", value=actor.kind.value)


def _meant(message: VoucherCheck, folio: Folio) -> FolioVoucher:
    key = normalised(message.number)
    if key:
        voucher = voucher_of(folio, key)
        if voucher is None:
            _check_character(key)
            raise Early(f"voucher {message.number} is not entered yet", waits_for=waits_for(key))
        return voucher
    if len(folio.vouchers) != 1:
        text = f"{folio.folio} has {len(folio.vouchers)} vouchers: say which in `number`"
        raise Rejected(text, code="voucher_number_missing", rule="S0-16", field="number", value=message.number)
    return folio.vouchers[0]


def _check_character(key: str) -> None:
    """S0-32: a number that is made as ours are, whose check character does not fit, and that nobody has entered, was mistyped. Raises
    Rejected `voucher_number_mistyped`."""
    if shaped_as_ours(key) and not ours(key):
        text = "a character of the number is wrong, its check character does not fit: look at it again, or leave out the only voucher's"
        raise Rejected(text, code="voucher_number_mistyped", rule="S0-32", field="number", value="")


def _check_open(message: VoucherCheck, folio: Folio, voucher: FolioVoucher) -> None:
    """S0-19: each voucher is checked once; while a top-up is awaited it may still be refused, or accepted with all that was typed."""
    lower = message.verdict is Verdict.LOWER_VALUE
    if voucher.status is VoucherStatus.PENDING_CHECK or (voucher.status is VoucherStatus.AWAITING_TOP_UP and not lower):
        return
    if voucher.verdict == _said(message):
        raise Stale(f"voucher {voucher.number} was checked: {voucher.verdict}", field="verdict", value=message.verdict.value)
    if folio.status is FolioStatus.CANCELLED:
        raise Rejected(f"{folio.folio} is cancelled", code="already_cancelled", rule="S0-19", field="folio", value=folio.folio)
    text = f"voucher {voucher.number} is {voucher.status.value}: it was checked as {voucher.verdict}"
    raise Rejected(text, code="voucher_checked", rule="S0-19", field="verdict", value=message.verdict.value)


def _worth(message: VoucherCheck, voucher: FolioVoucher, folio: Folio) -> tuple[int, int]:
    """What is taken of the voucher, and what is goodwill (S0-19, S0-21)."""
    typed, value = voucher.minor, message.value
    match message.verdict:
        case Verdict.GOODWILL:
            take = voucher.held if voucher.known else value or 0
        case Verdict.LOWER_VALUE:
            take = value if value is not None else voucher.held if voucher.known else 0
        case _:
            take = typed
            if value not in (None, typed, voucher.counts):
                text = f"voucher {voucher.number}: accepted is all that was typed, {typed}: say lower_value for {value}"
                raise Rejected(text, code="value_out_of_range", rule="S0-19", field="value", value=value)
    if not 0 <= take <= typed or (not take and message.verdict is not Verdict.GOODWILL):
        text = f"voucher {voucher.number}: `value` must be from 1 to the {typed} that were typed"
        raise Rejected(text, code="value_out_of_range", rule="S0-19", field="value", value=take)
    if voucher.known and min(take, max(0, account.balance(folio))) > voucher.held:
        has = account.text(voucher.held, folio.currency)
        text = f"voucher {voucher.number} has {has}: accept that as lower_value, or the rest as goodwill"
        raise Rejected(text, code="voucher_value_exceeded", rule="S0-21", field="verdict", value=message.verdict.value)
    return take, typed - take if message.verdict is Verdict.GOODWILL else 0


def _too_much(goodwill: int, folio: Folio, facts: Facts, granted: int) -> str:
    """S4-46: why it is not for one person to give; empty: it is."""
    limit = property_policy(facts, folio).override_above
    if limit is None or goodwill <= max(limit, granted):
        return ""
    amount, most = (account.text(minor, folio.currency) for minor in (goodwill, limit))
    return f"goodwill {amount} is above {most}"


def decide_reminded(message: TimerFired, facts: Facts) -> Outcome:
    """S0-35: the merchant is silent: reminded, then told that it is urgent, and when an authorisation is about to end; nothing is ever
    accepted by that. Raises Stale when there is nothing to check any more."""
    folio = facts.folio
    stage, _, subject = message.subject.partition(":")
    open_ = [voucher for voucher in waiting(folio) if voucher.status is VoucherStatus.PENDING_CHECK] if folio is not None else []
    payment = subject if stage == Stage.AUTHORISATION_EXPIRES else ""
    if payment:
        paid = account.payment_of(folio, payment) if folio is not None else None
        due = open_ if paid is not None and paid.status is PaymentStatus.AUTHORISED else []
    else:
        due = [voucher for voucher in open_ if voucher.key == subject]
    if folio is None or not due:
        raise Stale(f"nothing waits for {message.subject}", field="subject", value=message.subject)
    told = tuple([check_requested(folio, voucher, Stage(stage), payment) for voucher in due])
    step = Step("S0-35", f"{stage}: voucher {due[0].number} is not checked since {due[0].entered_at.isoformat()}")
    return Outcome(facts=told, trace=(step,), policy_version=folio.policy)


def decide_top_up_ended(message: TimerFired, facts: Facts) -> Outcome:
    """S0-19: the top-up did not come in time: everything is voided or given back. Raises Stale when none is awaited."""
    folio = facts.folio
    if folio is None or folio.top_up_until is None or message.due < folio.top_up_until:
        raise Stale("no top-up is awaited", field="subject", value=message.subject)
    return not_accepted(folio, message.subject, f"no top-up until {folio.top_up_until.isoformat()}", f"system:{TOP_UP}", facts)


def decide_consent(message: VoucherConsent, facts: Facts) -> Outcome:
    """`voucher.consent` (S0-28, X-24): kept with the booking. Raises Early for an unknown booking, Rejected `not_allowed` for
    anybody but the guest, Stale for what is known."""
    folio = facts.folio
    if folio is None:
        raise Early("the booking of this consent is not here yet", waits_for=BOOKING)
    if message.actor.kind not in (ActorKind.GUEST, ActorKind.SYSTEM):
        text = f"{message.actor.kind.value} may not consent for the guest"
        raise Rejected(text, code="not_allowed", rule="S0-28", field="actor", value=message.actor.kind.value)
    if folio.voucher_consent == message.text_version:
        raise Stale(
            f"{folio.folio}: text {message.text_version} is agreed to already", field="text_version", value=message.text_version
        )
    return Outcome(
        state=replace(folio, voucher_consent=message.text_version),
        facts=(VoucherConsented(text_version=message.text_version),),
        trace=(Step("S0-28", f"the guest agreed to text {message.text_version}"),),
        policy_version=folio.policy,
    )
