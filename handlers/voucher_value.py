"""What a voucher from cancel-with-voucher is worth (A-14, S0-27). Pure arithmetic; amounts are minor units of the folio's currency."""

from __future__ import annotations

from handlers import account
from handlers.outcome import Facts, Step
from handlers.quote import compute
from ledger import recipes
from schemas.cancellation import Cause
from schemas.errors import Rejected
from schemas.folio import Folio
from schemas.money import parse_rate, rate_text, times
from schemas.payment import Tender
from schemas.policy import PropertyPolicy
from schemas.voucher import CancelWithVoucher, ValueRule


def value_of(
    message: CancelWithVoucher, folio: Folio, policy: PropertyPolicy, facts: Facts
) -> tuple[int, int, tuple[Step, ...]]:  # fmt: skip
    """A-14, S0-27: the value, and what of the money and vouchers that were collected may stand for it: without fees that never go back,
    what is kept of lines that were cancelled before (S4-37), and the house's goodwill. X-24: of a package the fee would go back too."""
    goodwill = sum(one.collected() for one in folio.payments if one.book == recipes.goodwill_account(folio))
    collected, fee = account.collected(folio) - goodwill, 0 if folio.is_package else account.fee_charged(folio)
    kept = max(0, sum(line.kept for line in folio.lines) - folio.waived - folio.goodwill)
    base = max(0, collected - fee - kept)
    has, less, keeps, is_ = (account.text(minor, folio.currency) for minor in (collected, fee, kept, base))
    before = f" − kept of what was cancelled before {keeps}" if kept else ""
    first = Step("S0-27", f"collected {has}, money and vouchers, − fee {less}{before} = {is_}")
    rule = _rule(message) or policy.voucher_value_rule
    match rule:
        case ValueRule.COLLECTED:
            value, text = base, "all of it"
        case ValueRule.REFUNDABLE_NOW:
            value, text = min(base, compute(folio, (), Cause.GUEST, facts).refund), "what the terms give back now"
        case ValueRule.FIXED_AMOUNT:
            amount = message.value_amount if message.value_amount is not None else policy.voucher_value_amount
            if amount is None:
                text = "fixed_amount needs value_amount, here or as voucher_value_amount"
                raise Rejected(text, code="value_missing", rule="A-14", field="value_amount", value="")
            if amount <= 0:
                text = "a voucher is worth at least one minor unit"
                raise Rejected(text, code="value_out_of_range", rule="A-14", field="value_amount", value=amount)
            value, text = amount, "fixed"
        case ValueRule.PERCENT_OF_COLLECTED:
            rate = policy.voucher_value_percent
            if message.value_percent:
                try:
                    rate = parse_rate(message.value_percent)
                except ValueError as why:
                    raise Rejected(
                        str(why), code="bad_rate", rule="A-14", field="value_percent", value=message.value_percent
                    ) from why
            value, text = times(base, rate), f"{rate_text(rate)} × {is_}"
    return value, base, (first, Step("A-14", f"{rule.value}: {text} = {account.text(value, folio.currency)}"))


def _rule(message: CancelWithVoucher) -> ValueRule | None:
    """A-14: the rule that the message names, or that its amount or percentage stands for; None: the property's."""
    if message.value_rule is not None:
        return message.value_rule
    if message.value_percent and message.value_amount is not None:
        text = "an amount and a percentage, and no value_rule that says which: leave one out"
        raise Rejected(text, code="value_rule_missing", rule="A-14", field="value_rule", value="")
    if message.value_percent:
        return ValueRule.PERCENT_OF_COLLECTED
    return ValueRule.FIXED_AMOUNT if message.value_amount is not None else None


def of_vouchers(folio: Folio) -> int:
    """S0-29: what of the collected is voucher value already, and so is never given back in money."""
    goodwill = recipes.goodwill_account(folio)
    return sum(
        one.collected() for one in folio.payments if one.tender is Tender.VOUCHER and not one.unapplied and one.book != goodwill
    )
