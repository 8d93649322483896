"""What single keys about vouchers cannot show: that a legal entity's number is one (S0-33), that a value can be reckoned (A-14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stdnum.exceptions import ValidationError
from stdnum.fr import siren, siret

from config.reading import TomlFile
from schemas.money import ZERO_RATE, parse_rate, rate_text
from schemas.policy import PropertyPolicy
from schemas.voucher import ValueRule

_SIREN, _SIRET = 9, 14
_DAYS = 3650
MOST: Final[Mapping[str, int]] = {
    "max_vouchers": 20,
    "voucher_reminder_hours": _DAYS * 24,
    "voucher_escalation_hours": _DAYS * 24,
    "top_up_hours": _DAYS * 24,
    "authorisation_days": _DAYS,
    "voucher_hold_days": _DAYS,
    "voucher_months": 120,
}
_WARNINGS: Final = 10
"""No patience is longer: a day that is reckoned from a booking's stays in the calendar."""


def check_company(file: TomlFile, path: tuple[str | int, ...], company: str) -> None:
    """S0-33, V23: notes the number, as it was written, with the reason why it is none."""
    if not company:
        return
    digits = "".join(company.split())
    kind = siret if len(digits) == _SIRET else siren
    name = "SIRET" if len(digits) == _SIRET else "SIREN"
    if len(digits) not in (_SIREN, _SIRET) or not (digits.isascii() and digits.isdecimal()):
        file.problem(path, "must be a SIREN of 9 digits or a SIRET of 14", value=company, code="bad_company")
        return
    try:
        kind.validate(digits)
    except ValidationError:
        text = f"is no {name}: its check digit does not fit (Luhn): look at the company's papers"
        file.problem(path, text, value=company, code="bad_company")


def check_vouchers(file: TomlFile, policy: PropertyPolicy) -> None:
    """A-14, A-16: what single keys of the voucher block cannot show."""
    if policy.voucher_value_percent < ZERO_RATE:
        file.problem(("voucher_value_percent",), "must not be negative", value=rate_text(policy.voucher_value_percent))
    if policy.voucher_value_rule is ValueRule.FIXED_AMOUNT and policy.voucher_value_amount is None:
        file.problem(("voucher_value_rule",), "fixed_amount needs voucher_value_amount", value=policy.voucher_value_rule)
    days = policy.voucher_warning_days
    if len(days) > _WARNINGS or not all(0 <= one <= _DAYS for one in days):
        text = f"must be at most {_WARNINGS} days, each from 0 to {_DAYS}"
        file.problem(("voucher_warning_days",), text, value=str(list(days)))
    if policy.voucher_vat_rate:
        try:
            parse_rate(policy.voucher_vat_rate)
        except ValueError as error:
            file.problem(("voucher_vat_rate",), str(error), value=policy.voucher_vat_rate)
