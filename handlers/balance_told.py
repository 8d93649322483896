"""Money of a balance that a merchant has reported and a payment message tells too: one payment, not two (S1-45, X-1).

The report came first: the message gives its payment a provider and names. Where the message came first, the report finds its attempt
collected. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from handlers import account
from handlers.card_use import used
from handlers.collecting import concluded, homeless
from handlers.outcome import Facts, Outcome, Step, merge
from ledger import recipes
from schemas.balance import BalanceReportCollected
from schemas.balance_request import BalanceAttempt, BalanceRequest
from schemas.folio import Folio, FolioPayment
from schemas.payment import Payment


def reported(message: Payment, folio: Folio, known: FolioPayment | None, at: datetime) -> FolioPayment | None:
    """S1-45: the reported payment whose money this message tells: by its provider's reference, else by tender and amount, of money that
    moved no earlier than the guest was asked. One that is being taken or was given back already is a payment of its own."""
    if known is not None and known.reported and known.captured == message.amount:
        return known
    if known is not None and (known.captured or any(effect.payment == known.payment for effect in folio.effects)):
        return None
    for payment in folio.payments:
        if not payment.reported or payment is known or payment.captured != message.amount or payment.tender is not message.tender:
            continue
        if payment.reference and message.provider_reference:
            if payment.reference == message.provider_reference:
                return payment
        elif (asked_at := _asked_at(payment, folio)) is not None and at >= asked_at:
            return payment
    return None


def told_before(
    message: BalanceReportCollected, folio: Folio, request: BalanceRequest, attempt: BalanceAttempt, amount: int
) -> FolioPayment | None:  # fmt: skip
    """S1-45: the payment by which a message has told already what is reported of a request that ended before: by its id or its provider's
    reference, else by tender and amount, of money that moved no earlier than the guest was asked; of no other attempt."""
    others = {one.payment for known in folio.balance_requests for one in known.attempts}
    for payment in folio.payments:
        if payment.reported or payment.payment in others or (payment.tender, payment.captured) != (attempt.method, amount):
            continue
        if message.payment and message.payment == payment.payment:
            return payment
        if message.provider_reference and payment.reference:
            if message.provider_reference == payment.reference:
                return payment
        elif request.sent_at is not None and payment.occurred_at is not None and payment.occurred_at >= request.sent_at:
            return payment
    return None


def _asked_at(payment: FolioPayment, folio: Folio) -> datetime | None:
    """When the guest was asked for it."""
    of = [request for request in folio.balance_requests if payment.payment in [one.payment for one in request.attempts]]
    return of[-1].sent_at if of else payment.occurred_at


def adopted(message: Payment, folio: Folio, payment: FolioPayment, facts: Facts) -> Outcome:
    """The reported payment under this message's names as well; what stood in the till stands at the provider. An authorisation that came
    before under the message's id was the same money. X-16: what had no home has one, if the message says that it moved before the booking
    was cancelled, and nothing of it went back."""
    named = replace(
        payment,
        told_as=message.payment if message.payment != payment.payment else "",
        reported=False,
        provider=payment.provider or message.provider,
        merchant=payment.merchant or message.merchant,
        reference=payment.reference or message.provider_reference,
        order=payment.order or message.order,
        initiation=message.initiation or payment.initiation,
        sca=message.sca,
        eci=message.eci,
        scheme_transaction=message.scheme_transaction,
        mandate=message.mandate or payment.mandate,
        mandate_version=message.mandate_version or payment.mandate_version,
        payer=message.payer,
        through=message.through or payment.through,
        occurred_at=message.occurred_at or payment.occurred_at,
    )
    if named.unapplied and named.collected() == named.captured and named.occurred_at is not None:
        named = replace(named, unapplied=homeless(folio, named.occurred_at))
    named, use = used(folio, named)
    rest = tuple([known for known in folio.payments if known.payment != message.payment or known.captured])
    after = account.replace_payment(replace(folio, payments=rest), named)
    entries: recipes.Transfers = ()
    if (named.provider, named.merchant, named.unapplied) != (payment.provider, payment.merchant, payment.unapplied):
        away = recipes.unapplied_reversed if payment.unapplied else recipes.capture_reversed
        back = recipes.unapplied if named.unapplied else recipes.captured
        entries = away(folio, payment, payment.captured) + back(after, named, named.captured)
    step = Step("S1-45", f"payment {message.payment} is what was reported collected as {payment.payment}: counted once")
    first = merge(use, Outcome(state=after, entries=entries, trace=(step,)))
    return concluded(folio, first, message.payment, facts)
