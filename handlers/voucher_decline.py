"""A booking that the merchant does not accept because of its voucher, and what a guest may withdraw from for nothing (S0-19)."""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account
from handlers.approval import dropped, of_check
from handlers.confirmation import confirm
from handlers.frozen import local, terms_of
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.quote import Computation, quoted, settle
from handlers.quote_lines import Ended
from handlers.voucher_accept import no_top_up, rescheduled
from handlers.voucher_release import TOP_UP, ask, check_timers
from handlers.voucher_schedule import replace_voucher, voucher_of
from handlers.voucher_second import beside_vouchers
from schemas.cancellation import CancellationConfirmed, Cause
from schemas.folio import CancelRequest, Folio, RequestStatus
from schemas.money import FULL_RATE, rate_text
from schemas.voucher import BookingDeclined, VoucherDeclined, VoucherStatus

DECLINED = "declined"
"""Stands for the request of a cancellation that nobody asked for."""


def everything_back(folio: Folio, facts: Facts, reason: str) -> Computation:
    """S0-19: nothing is kept, the fee neither: collected money goes back, authorised money is released."""
    rate = rate_text(FULL_RATE)
    ended = tuple(
        [
            Ended(line=line, terms=terms_of(facts, line), price=line.price, rate=rate, kept=0, penalty=0)
            for line in account.live_lines(folio)
        ]
    )
    fee = account.fee_charged(folio)
    return settle(folio, ended, Cause.GUEST, local(facts, folio), (Step("S0-19", f"{reason}: everything back"),), fee_back=fee)


def not_accepted(folio: Folio, key: str, reason: str, by: str, facts: Facts) -> Outcome:
    """S0-19: a booking that depends on this voucher is declined; one whose deposit had moved before it was entered stands, lets go of
    it, owes the balance, and `voucher.declined` says so."""
    voucher = voucher_of(folio, key)
    assert voucher is not None, f"{folio.folio} has no voucher {key}"
    if not voucher.beyond_deposit:
        return declined(folio, key, reason, by, facts)
    refused = replace(voucher, status=VoucherStatus.REFUSED, counts=0, held=0, take=0, goodwill=0)
    unasked = dropped(folio, of_check(folio, key))
    without = replace_voucher(no_top_up(folio_of(unasked), voucher), refused)
    moved = rescheduled(folio, account.changed(without), facts)
    lost = VoucherDeclined(number=voucher.number, amount=voucher.counts, currency=folio.currency, reason=reason)
    told = Outcome(
        facts=(lost,),
        messages=(ask("voucher.release_asked", folio, voucher, voucher.minor, reason=reason),),
        cancel=(*check_timers(key), *(() if without.top_up_until is not None else (TOP_UP,))),
        trace=(Step("S0-19", f"voucher {voucher.number}: {reason}; the deposit was here before it: the booking stands"),),
        policy_version=folio.policy,
    )
    out = merge(merge(unasked, moved), told)
    return merge(out, beside_vouchers(folio_of(out), facts))


def declined(folio: Folio, key: str, reason: str, by: str, facts: Facts) -> Outcome:
    """S0-19: the voucher's hold is released, money of other means is voided or goes back in full, stock is free again, and
    `booking.declined` says why. What was accepted of other vouchers goes back to them."""
    voucher = voucher_of(folio, key)
    assert voucher is not None, f"{folio.folio} has no voucher {key}"
    before = replace_voucher(folio, replace(voucher, status=VoucherStatus.REFUSED, counts=0, held=0))
    computation = everything_back(before, facts, reason)
    request = CancelRequest(
        request=DECLINED,
        status=RequestStatus.CONFIRMED,
        cause=Cause.GUEST,
        requested_at=facts.act,
        proof=reason,
        asked_by=by,
        quote=quoted(computation, before, facts),
    )
    told = BookingDeclined(number=voucher.number, reason=reason)
    first = Outcome(
        facts=(told,),
        messages=(ask("voucher.release_asked", folio, voucher, voucher.minor, reason=reason),),
        cancel=check_timers(key),
        trace=(Step("S0-19", f"voucher {voucher.number}: {reason}"),),
    )
    out = confirm(before, request, computation, facts, asked_by=by)
    whole = merge(first, replace(out, facts=tuple([fact for fact in out.facts if not isinstance(fact, CancellationConfirmed)])))
    return replace(whole, state=folio_of(out), policy_version=folio.policy)
