"""Cancel with voucher: a booking ends, and what was collected is the value of a code that is issued for it (S0-26 to S0-31, A-14).

The code's luck was drawn at the door. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

from msgspec.structs import replace

from handlers import account
from handlers.approval import put, subject_of
from handlers.cancellation_record import computed_with_refund
from handlers.cancellation_right import HOUSE, who
from handlers.confirmation import confirm
from handlers.deposit import months_after
from handlers.dispute_record import named
from handlers.entitlement import Feature, check_feature
from handlers.frozen import Local, local
from handlers.outcome import Facts, Internal, Outcome, Step, folio_of, merge
from handlers.penalty import start_of_day
from handlers.quote import quoted
from handlers.refund_parts import VOUCHER, allocation
from handlers.voucher_expiring import warnings
from handlers.voucher_value import of_vouchers, value_of
from handlers.voucher_worth import entity_of
from ledger import recipes
from schemas.booking import CollectedBy
from schemas.cancellation import Cause
from schemas.common import ActorKind, Fact
from schemas.errors import Rejected
from schemas.folio import CancelRequest, Folio, FolioRefund, FolioStatus, PartStatus, RefundPart, RequestStatus
from schemas.folio_approval import FolioApproval
from schemas.folio_voucher import IssuedVoucher
from schemas.policy import PropertyPolicy
from schemas.refund import RefundDecided, RefundDestination, RefundExecuted
from schemas.voucher import CancelWithVoucher, IssuedState, VoucherIssued
from schemas.voucher_code import masked, normalised, ours, written
from schemas.voucher_talk import VoucherIssue

MOST = 10**15
"""Minor units: as `schemas.common.Minor`."""
WITH_VOUCHER = "voucher"
"""Stands for the request of a cancellation by which a voucher was issued."""


def decide(message: CancelWithVoucher, facts: Facts, *, granted: int = 0) -> Outcome:
    """`booking.cancel_with_voucher` (S0-26): cancelled, and `voucher.issued`. Twice: the first code again (S0-31). A bonus that was chosen,
    above `override_above` and not `granted`, waits for a second person (S4-46): nothing is cancelled before.

    Raises Rejected `unknown_folio`, `not_allowed`, `feature_not_available`, `already_cancelled`, `consent_required`,
    `collected_elsewhere`, `nothing_to_issue`, `value_out_of_range`, `value_missing`, `bad_rate`, `value_rule_missing`, `expires_in_past`,
    `voucher_number_taken`, `voucher_number_malformed`, `voucher_number_empty`.
    """
    folio = facts.folio
    if folio is None:
        raise Rejected(f"folio {facts.key!r} is not known", code="unknown_folio", rule="X-2", field="folio", value=facts.key)
    if message.actor.kind not in HOUSE and message.actor.kind is not ActorKind.SYSTEM:
        text = f"{message.actor.kind.value} may not cancel with a voucher: it is for the merchant"
        raise Rejected(text, code="not_allowed", rule="S0-26", field="actor", value=message.actor.kind.value)
    here = local(facts, folio)
    check_feature(Feature.CANCEL_WITH_VOUCHER, facts, here.zone)
    if folio.issued is not None:
        return _again(folio, facts)
    if folio.status is FolioStatus.CANCELLED:
        text = f"{folio.folio} was cancelled {folio.cancelled_at} by {folio.cancelled_by}: no voucher is issued for it any more"
        raise Rejected(text, code="already_cancelled", rule="S0-31", field="folio", value=folio.folio)
    _check(message, folio, here.policy, facts)
    _check_day(message, here)
    return _issued(message, folio, here, facts, granted)


def numbered(folio: Folio | None, drawn: str) -> str:
    """S0-31: the number of the voucher that the booking was cancelled for, else the one that was drawn for it."""
    return folio.issued.number if folio is not None and folio.issued is not None else drawn


def _again(folio: Folio, facts: Facts) -> Outcome:
    """S0-31: the first code, and what has become of it; nothing new is issued."""
    told, book = _told(folio), facts.voucher
    if book is not None:
        over = book.expires_at is not None and facts.act >= book.expires_at
        state = IssuedState.EXPIRED if over else IssuedState.GOOD if book.left else IssuedState.USED
        told = replace(told, state=state.value, left=book.left)
    text = f"{folio.folio} was cancelled with voucher {told.number}: the same again, {told.state}"
    return Outcome(facts=(told,), trace=(Step("S0-31", text),), policy_version=folio.policy)


def _told(folio: Folio) -> VoucherIssued:
    issued = folio.issued
    assert issued is not None
    return VoucherIssued(
        number=issued.number,
        value=issued.value,
        expires=issued.expires,
        currency=folio.currency,
        bonus=issued.bonus,
        issuer_entity=issued.entity,
        vat_kind=issued.vat_kind.value,
        vat_rate=issued.vat_rate,
        refund_on_expiry=issued.refund_on_expiry,
    )


def _check(message: CancelWithVoucher, folio: Folio, policy: PropertyPolicy, facts: Facts) -> None:
    if (policy.voucher_consent or folio.is_package) and not folio.voucher_consent:
        rule = "X-24" if folio.is_package else "S0-28"
        text = f"{folio.folio}: the guest has not agreed to a voucher in place of money: send voucher.consent first"
        raise Rejected(text, code="consent_required", rule=rule, field="folio", value=folio.folio)
    if folio.collected_by is not CollectedBy.PROPERTY:
        text = f"{folio.folio} was collected by {folio.collected_by.value}: its money is not here to issue a voucher for"
        raise Rejected(text, code="collected_elsewhere", rule="X-20", field="collected_by", value=folio.collected_by.value)
    for disputed in (known for known in folio.disputes if known.ruling is None):
        text = f"{named(disputed)} is open: its money may leave yet, wait for its end"
        raise Rejected(text, code="disputed", rule="X-13", field="folio", value=folio.folio)
    if not normalised(message.number):
        text = "the message has no number: doors draw one, send it again by a door"
        raise Rejected(text, code="voucher_number_empty", rule="S0-32", field="number", value=message.number)
    if not ours(normalised(message.number)):
        text = "a number of the sender's own must be drawn as the hub draws them, with their check character: leave it out"
        raise Rejected(text, code="voucher_number_malformed", rule="S0-32", field="number", value="")
    if facts.voucher is not None:
        text = "this number is known already: leave `number` out, and one is drawn"
        raise Rejected(text, code="voucher_number_taken", rule="S0-32", field="number", value="")


def _check_day(message: CancelWithVoucher, here: Local) -> None:
    """S0-28: nobody takes a voucher that is over already in place of money."""
    if message.expires is not None and message.expires < here.today:
        text = f"a voucher that was good until {message.expires} is over: it is {here.today}"
        raise Rejected(text, code="expires_in_past", rule="S0-28", field="expires", value=message.expires.isoformat())


def _issued(message: CancelWithVoucher, folio: Folio, here: Local, facts: Facts, granted: int) -> Outcome:
    value, base, steps = value_of(message, folio, here.policy, facts)
    if value <= 0:
        text = f"{folio.folio}: nothing was collected that a voucher could be worth: cancel it without"
        raise Rejected(text, code="nothing_to_issue", rule="S0-27", field="value_rule", value=value)
    _check_value(message, value)
    if why := _too_much(message, value - min(value, base), folio, here.policy, granted):
        bonus = value - min(value, base)
        one = FolioApproval(
            subject=subject_of(folio, facts.id("approval")),
            minor=bonus,
            reason=why,
            asked_by=who(message.actor),
            asked_at=facts.act,
            issue=message,
        )
        return put(folio, one, facts, "S4-46")
    key, money = normalised(message.number), min(value, base)
    number, expires = written(key), message.expires or _expires(here)
    bonus = value - money
    carried = min(money, of_vouchers(folio))
    on_expiry = here.policy.refund_on_expiry if message.refund_on_expiry is None else message.refund_on_expiry
    entity = entity_of(here.policy, facts.tenant)
    computation = computed_with_refund(folio, money, Cause.GUEST, facts)
    request = CancelRequest(
        request=WITH_VOUCHER,
        status=RequestStatus.CONFIRMED,
        cause=Cause.GUEST,
        requested_at=facts.act,
        proof=message.reason,
        asked_by=who(message.actor),
        quote=quoted(computation, folio, facts),
    )
    done = confirm(
        folio, request, computation, facts, asked_by=request.asked_by, give_back=partial(_into_voucher, key=key, policy=here.policy)
    )
    issued = IssuedVoucher(
        number=number,
        value=value,
        expires=expires,
        bonus=bonus,
        entity=entity,
        vat_kind=here.policy.voucher_vat_kind,
        vat_rate=here.policy.voucher_vat_rate,
        refund_on_expiry=on_expiry,
    )
    after = replace(folio_of(done), issued=issued)
    told = VoucherIssue(
        folio=folio.folio,
        number=number,
        value=value,
        currency=folio.currency,
        property=folio.property,
        entity=entity,
        scope=here.policy.voucher_scope,
        uncashable=bonus + carried,
        holder=folio.person,
        expires=expires,
        expires_at=start_of_day(expires + timedelta(days=1), here.zone) if expires is not None else None,
        vat_kind=issued.vat_kind,
        vat_rate=issued.vat_rate,
        refund_on_expiry=on_expiry,
        warn_at=warnings(expires, here),
    )
    more = Outcome(
        state=after,
        facts=(_told(after),),
        entries=recipes.voucher_bonus(folio, key, bonus),
        messages=(Internal(kind="voucher", key=key, name="voucher.issue_asked", body=told),),
        trace=(*steps, *_closes(on_expiry)),
    )
    return merge(done, more)


def _check_value(message: CancelWithVoucher, value: int) -> None:
    """No amount is larger than any message may name."""
    if value > MOST:
        text = f"{value} is more than any amount may be ({MOST})"
        raise Rejected(text, code="value_out_of_range", rule="A-14", field="value_percent", value=message.value_percent)


def _too_much(message: CancelWithVoucher, bonus: int, folio: Folio, policy: PropertyPolicy, granted: int) -> str:
    """S4-46: why a bonus that the merchant chose is not for one person to give; empty: it is."""
    chosen = message.value_rule is not None or message.value_percent or message.value_amount is not None
    if not chosen or policy.override_above is None or bonus <= max(policy.override_above, granted):
        return ""
    more, most = (account.text(minor, folio.currency) for minor in (bonus, policy.override_above))
    return f"voucher bonus {more} is above {most}"


def _closes(on_expiry: bool) -> tuple[Step, ...]:
    """S0-28."""
    text = "what is not used until then goes back in money (refund_on_expiry)" if on_expiry else "no money goes back any more"
    return (Step("S0-28", text),)


def _expires(here: Local) -> date | None:
    """S0-28: the last day: `voucher_months` from today on."""
    months = here.policy.voucher_months
    return months_after(here.today, months) if months else None


def _into_voucher(
    folio: Folio,
    minor: int,
    facts: Facts,
    *,
    key: str,
    policy: PropertyPolicy,
    request: str = "",
    asked_by: str = "",
    approve: str = "",
) -> Outcome:
    """S0-26, S0-28, X-3: `minor` of the payments stays, as the value of the voucher: given back at once, and not to be given back again."""
    assert not approve, f"{folio.folio}: nobody approves a voucher ({asked_by})"
    if not minor:
        return Outcome(state=folio)
    refund, payments, parts = facts.id("refund"), folio.payments, []
    giving = replace(folio, payments=tuple([one for one in payments if one.book != recipes.goodwill_account(folio)]))
    for payment, part_minor in allocation(giving, minor, policy):
        number = payment.number + 1
        payments = account.with_payment(payments, replace(payment, refunded=payment.refunded + part_minor, number=number))
        parts.append(
            RefundPart(
                payment=payment.payment,
                tender=payment.tender,
                minor=part_minor,
                destination=VOUCHER.value,
                status=PartStatus.EXECUTED,
                number=number,
                record=f"voucher:{masked(key)}",
            )
        )
    decided = RefundDecided(
        refund=refund,
        amount=minor,
        currency=folio.currency,
        destinations=tuple(
            [
                RefundDestination(payment=part.payment, tender=part.tender.value, amount=part.minor, destination=part.destination)
                for part in parts
            ]
        ),
        refund_due_by=facts.act,
    )
    told: tuple[Fact, ...] = tuple(
        [
            RefundExecuted(
                refund=refund, payment=part.payment, amount=part.minor, currency=folio.currency, provider_record=part.record
            )
            for part in parts
        ]
    )
    kept = FolioRefund(refund=refund, minor=minor, due_by=facts.act, parts=tuple(parts), request=request)
    return Outcome(
        state=replace(folio, payments=payments, refunds=(*folio.refunds, kept)),
        facts=(decided, *told),
        entries=recipes.refund_decided(folio, minor, refund) + recipes.voucher_issued(folio, key, minor, refund),
        trace=(Step("S0-26", f"{account.text(minor, folio.currency)} of the payments is the value of voucher {key}"),),
    )
