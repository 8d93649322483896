"""Disputes: a payer's bank contests a payment, and how that ends (X-13).

While one is open nothing of its payment is given back: what is planned is held (`handlers.dispute_hold`), what is being sent is left
alone, since only its answer tells. Money leaves the book for good when the dispute is lost; `funds_taken` says that a provider has it until
then. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account
from handlers.capture_records import told_back, told_so_far, untold_back
from handlers.collecting import concluded, taken_back
from handlers.collecting import waits_for as waits_for_payment
from handlers.dispute_hold import held, released
from handlers.dispute_record import at_stake, contested, dispute_of, named, open_disputes, waits_for, with_dispute
from handlers.dispute_reversal import reversed_before
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.payment_states import IN_FLIGHT
from ledger import recipes
from schemas.dispute import DisputeClosed, DisputeNews, DisputeOpened, FolioDispute, PaymentDisputed, PaymentDisputeEnded, Ruling
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, FolioPayment
from schemas.payment import PaymentCaptured, Tender

DISPUTABLE = frozenset({Tender.CARD, Tender.BANK_TRANSFER})
"""Tenders that a payer's bank can contest: the transfers among them are debits that it made."""


def decide_opened(message: DisputeOpened, facts: Facts) -> Outcome:
    """`dispute.opened` (X-13): refunds of the payment are held; what the provider has taken stands on an account of its own. What
    was reversed before and belongs to no dispute is this one's (X-2).

    Raises Early for an unknown booking or payment, or one that is not final, Stale for what is known, Rejected `currency_mismatch`,
    `not_disputable`, `duplicate_identity` for another amount under a known name or another provider payment, `amount_above_captured`.
    """
    folio, payment = _payment(message, facts)
    known = dispute_of(folio, payment.payment, message.dispute)
    if known is not None:
        return _again(message, folio, payment, known)
    if payment.status in IN_FLIGHT:
        raise Early(f"payment {payment.payment} is {payment.status.value}", waits_for=waits_for_payment(payment.payment))
    left = payment.captured - told_so_far(payment) - contested(folio, payment.payment)
    before = reversed_before(folio, payment, message.amount)
    if message.amount - before > left:
        amount, most = (account.text(minor, folio.currency) for minor in (message.amount, max(0, left) + before))
        text = f"{amount} of payment {payment.payment} are contested, of which {most} were taken and are not contested yet"
        raise Rejected(text, code="amount_above_captured", rule="X-13", field="amount", value=message.amount)
    dispute = FolioDispute(
        dispute=message.dispute,
        payment=payment.payment,
        minor=message.amount,
        opened_at=facts.act,
        taken=message.funds_taken,
        reversed=before,
    )
    after = with_dispute(folio, dispute)
    amount = account.text(message.amount, folio.currency)
    what = "taken by the provider" if message.funds_taken else "still on our account"
    if before:
        what += f", {account.text(before, folio.currency)} of it reversed before"
    told = PaymentDisputed(
        payment=payment.payment,
        dispute=message.dispute,
        amount=message.amount,
        currency=folio.currency,
        funds_taken=message.funds_taken,
        answer_by=message.answer_by,
    )
    first = Outcome(
        state=after,
        facts=(told,),
        entries=recipes.disputed(folio, payment, at_stake(dispute)),
        unparks=tuple(dict.fromkeys((waits_for(payment.payment, message.dispute), waits_for(payment.payment, "")))),
        trace=(Step("X-13", f"{named(dispute)}: {amount} contested, {what}; its refunds wait"),),
        policy_version=folio.policy,
    )
    return merge(first, held(after, payment.payment, facts.effects))


def decide_closed(message: DisputeClosed, facts: Facts) -> Outcome:
    """`dispute.closed` (X-13): lost, the payment is reversed by as much and the balance is open again, refunds that it no longer covers are
    dropped; won or withdrawn, what waited is given.

    Without a name, the one that is open. Raises Early for an unknown booking, payment or dispute, Stale for what is known, Rejected
    `currency_mismatch`, `not_disputable`, `dispute_ambiguous`, `dispute_closed`, `amount_above_disputed`.
    """
    folio, payment = _payment(message, facts)
    dispute = _open(message, folio, payment)
    if message.amount > dispute.minor:
        amount, most = (account.text(minor, folio.currency) for minor in (message.amount, dispute.minor))
        text = f"{named(dispute)} is about {most}, not {amount}"
        raise Rejected(text, code="amount_above_disputed", rule="X-13", field="amount", value=message.amount)
    lost = message.amount if message.outcome is Ruling.LOST else 0
    ended = replace(dispute, ruling=message.outcome, lost=lost)
    after = with_dispute(folio, ended)
    told = PaymentDisputeEnded(
        payment=payment.payment, dispute=dispute.dispute, outcome=message.outcome.value, amount=lost, currency=folio.currency
    )
    amount = account.text(lost, folio.currency)
    step = Step(
        "X-13", f"{named(dispute)}: {message.outcome.value}, {amount} of {account.text(dispute.minor, folio.currency)} lost"
    )
    first = Outcome(state=after, facts=(told,), trace=(step,), policy_version=folio.policy)
    moved = _money(after, payment, dispute, lost, facts)
    first = merge(first, moved)
    first = merge(first, released(folio_of(first), payment.payment, facts))
    return concluded(folio, first, payment.payment, facts)


def _payment(message: DisputeNews, facts: Facts) -> tuple[Folio, FolioPayment]:
    """The folio and the payment that a message is about, of which it may speak."""
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this dispute is of is not here yet", waits_for="booking")
    if message.currency not in ("", folio.currency):
        text = f"{folio.folio} is booked in {folio.currency}"
        raise Rejected(text, code="currency_mismatch", rule="X-4", field="currency", value=message.currency)
    payment = account.payment_of(folio, message.payment)
    if payment is None:
        raise Early(f"payment {message.payment} is not here yet", waits_for=waits_for_payment(message.payment))
    if payment.tender not in DISPUTABLE:
        text = f"payment {payment.payment} was made by {payment.tender.value}: no bank can contest it"
        raise Rejected(text, code="not_disputable", rule="X-13", field="payment", value=payment.payment)
    if message.provider_reference and payment.reference and message.provider_reference != payment.reference:
        text = f"payment {payment.payment} is {payment.reference} at {payment.provider}, not {message.provider_reference}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="provider_reference", value=message.provider_reference)
    return folio, payment


def _again(message: DisputeOpened, folio: Folio, payment: FolioPayment, known: FolioDispute) -> Outcome:
    """X-1: one name, one dispute; that its money was taken may be told later."""
    if message.amount != known.minor:
        amount, was = (account.text(minor, folio.currency) for minor in (message.amount, known.minor))
        text = f"{named(known)} is known with {was}, not {amount}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="amount", value=message.amount)
    if known.ruling is not None or known.taken or not message.funds_taken:
        raise Stale(f"{named(known)} is known", field="dispute", value=message.dispute)
    taken = replace(known, taken=True)
    amount = account.text(at_stake(taken), folio.currency)
    return Outcome(
        state=with_dispute(folio, taken),
        entries=recipes.disputed(folio, payment, at_stake(taken)),
        trace=(Step("X-13", f"{named(known)}: the provider has taken {amount}"),),
        policy_version=folio.policy,
    )


def _open(message: DisputeClosed, folio: Folio, payment: FolioPayment) -> FolioDispute:
    standing = open_disputes(folio, payment.payment)
    if message.dispute:
        known = dispute_of(folio, payment.payment, message.dispute)
        standing = tuple([one for one in standing if one is known])
        ended = tuple([one for one in folio.disputes if one is known and one.ruling is not None])
    else:
        ended = tuple([one for one in folio.disputes if one.payment == payment.payment and one.ruling is not None])
    if len(standing) == 1:
        return standing[0]
    if standing:
        text = f"payment {payment.payment} is contested {len(standing)} times: name the dispute"
        raise Rejected(text, code="dispute_ambiguous", rule="X-13", field="dispute", value="")
    lost = message.amount if message.outcome is Ruling.LOST else 0
    for known in ended:
        if (known.ruling, known.lost) == (message.outcome, lost):
            raise Stale(f"{named(known)} is {known.ruling} already", field="dispute", value=message.dispute)
    if ended:
        text = f"{named(ended[-1])} is {ended[-1].ruling}, {account.text(ended[-1].lost, folio.currency)} lost: it does not end otherwise"
        raise Rejected(text, code="dispute_closed", rule="X-13", field="outcome", value=message.outcome.value)
    raise Early(f"payment {payment.payment} is not contested yet", waits_for=waits_for(payment.payment, message.dispute))


def _money(folio: Folio, payment: FolioPayment, dispute: FolioDispute, lost: int, facts: Facts) -> Outcome:
    """What moves when a dispute ends. What was told as reversed while it was open, or shown by the provider, has moved before; more than
    was lost of that is with us again."""
    if dispute.reversed > lost:
        return _kept(folio, payment, dispute, dispute.reversed - lost)
    stake = at_stake(dispute)
    payment, less = told_back(payment, lost - dispute.reversed)
    if not less:
        after = account.replace_payment(folio, payment)
        return Outcome(state=after, entries=recipes.dispute_returned(folio, payment, stake))
    entries = () if dispute.taken else recipes.disputed(folio, payment, less)
    entries += recipes.charged_back(folio, payment, less)
    entries += recipes.dispute_returned(folio, payment, stake - less if dispute.taken else 0)
    return taken_back(folio, payment, less, facts.effects, entries)


def _kept(folio: Folio, payment: FolioPayment, dispute: FolioDispute, minor: int) -> Outcome:
    """`minor` that was told as reversed is with us again, as the rest of what was contested is."""
    payment, back = untold_back(payment, minor)
    after = account.replace_payment(folio, payment)
    if dispute.taken:
        entries = recipes.charge_back_returned(folio, payment, back)
        entries += recipes.dispute_returned(folio, payment, at_stake(dispute) + back)
    else:
        entries = recipes.unapplied(folio, payment, back) if payment.unapplied else recipes.captured(folio, payment, back)
    if not back:
        return Outcome(state=after, entries=entries)
    here = PaymentCaptured(payment=payment.payment, tender=payment.tender.value, amount=back, currency=folio.currency)
    amount = account.text(back, folio.currency)
    step = Step("X-13", f"payment {payment.payment}: {amount} that were taken back are with us again")
    return Outcome(state=after, facts=(here,), entries=entries, trace=(step,))
