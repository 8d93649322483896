"""How a card was used: who began the payment, by what consent (X-21). A payment that happened is taken whatever it says of itself; what
does not fit is told, and a person looks.

Where the provider's own word says who began it and the message does not, that word counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from handlers.outcome import Outcome, Step
from schemas.booking import SaleChannel
from schemas.cards import CARD, CODE
from schemas.folio import Folio, FolioPayment
from schemas.payment import CardFlag, Initiation, PaymentFlagged, Tender, Through

BY_ECI: Final[Mapping[tuple[str, str], Initiation]] = {
    ("ogone", "1"): Initiation.MOTO,
    ("ogone", "2"): Initiation.MIT,
    ("ogone", "3"): Initiation.MIT,
    ("ogone", "5"): Initiation.CIT,
    ("ogone", "6"): Initiation.CIT,
    ("ogone", "7"): Initiation.CIT,
    ("ogone", "9"): Initiation.MIT,
}
"""X-21: who began a payment, by the provider's own ECI; any other says nothing."""

BY_VOICE_OR_LETTER: Final = frozenset({Through.PHONE, Through.MAIL})


def used(folio: Folio, payment: FolioPayment) -> tuple[FolioPayment, Outcome]:
    """X-21: the payment with what is known of its initiation and consent, and what is told of what does not fit, once each. A balance that
    is taken by token has the mandate that the guest gave with the token, where the message names none. What looked like a card number and
    was taken out at the door is none (X-10)."""
    if payment.tender is not Tender.CARD:
        return payment, Outcome()
    if CARD in payment.mandate or CODE in payment.mandate:
        payment = replace(payment, mandate="")
    by_word = BY_ECI.get((payment.provider, payment.eci.lstrip("0")), Initiation.UNKNOWN)
    payment = replace(payment, initiation=payment.initiation or by_word)
    if payment.initiation is Initiation.MIT and not payment.mandate:
        payment = _by_consent(folio, payment)
    flags = _flags(folio, payment, by_word)
    new = tuple([flag for flag in flags if flag not in payment.flags])
    if not new:
        return payment, Outcome()
    told = PaymentFlagged(payment=payment.payment, initiation=payment.initiation.value, flags=tuple([flag.value for flag in new]))
    said = ", ".join(flag.value for flag in new)
    step = Step("X-21", f"payment {payment.payment}, {payment.initiation.value}: {said}")
    return replace(payment, flags=(*payment.flags, *new)), Outcome(facts=(told,), trace=(step,))


def _flags(folio: Folio, payment: FolioPayment, by_word: Initiation) -> tuple[CardFlag, ...]:
    match payment.initiation:
        case Initiation.MOTO:
            typed = by_word is Initiation.CIT or not _spoken(folio, payment)
            return (CardFlag.MOTO_ON_A_PAGE,) if typed else ()
        case Initiation.MIT:
            if not payment.mandate:
                return (CardFlag.MANDATE_MISSING,)
            return () if payment.mandate_version else (CardFlag.MANDATE_VERSION_MISSING,)
        case _:
            return ()


def _spoken(folio: Folio, payment: FolioPayment) -> bool:
    """Whether the card came by phone or by mail: as the message says, else as the booking was sold, or as the guest answered when asked
    for the balance."""
    if payment.through is not None:
        return payment.through in BY_VOICE_OR_LETTER
    attempts = [attempt for request in folio.balance_requests for attempt in request.attempts]
    own = [attempt for attempt in attempts if attempt.payment == payment.payment]
    said = own[-1:] or attempts
    spoken = any(attempt.initiation is Initiation.MOTO for attempt in said)
    return spoken or (not own and folio.channel is SaleChannel.PHONE)


def _by_consent(folio: Folio, payment: FolioPayment) -> FolioPayment:
    given = [attempt for request in folio.balance_requests for attempt in request.attempts if attempt.mandate]
    return replace(payment, mandate=given[-1].mandate, mandate_version=given[-1].mandate_version) if given else payment
