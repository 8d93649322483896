"""The chart of accounts as data: a code, its kind, what stands on it. An account is a code and its owner, `guest:B-1001`.

Balances are debit minus credit, minor units per currency; `natural` turns the sign to the side on which the kind grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """On which side an account grows: assets and expenses by debit, liabilities and income by credit."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One code: `owner` says what follows the colon."""

    code: str
    kind: Kind
    owner: str
    meaning: str


def _chart(*accounts: Account) -> Mapping[str, Account]:
    return {account.code: account for account in accounts}


CHART: Mapping[str, Account] = _chart(
    Account(code="guest", kind=Kind.ASSET, owner="folio", meaning="what the guest owes: ordered less collected"),
    Account(
        code="channels",
        kind=Kind.ASSET,
        owner="folio",
        meaning="what a channel that collected from the guest owes for the booking (X-20)",
    ),
    Account(code="money", kind=Kind.ASSET, owner="provider/merchant", meaning="captured money that a provider holds for us"),
    Account(code="till", kind=Kind.ASSET, owner="tender", meaning="money and values taken without a provider, by tender"),
    Account(code="stays", kind=Kind.LIABILITY, owner="folio", meaning="stays and services ordered and not yet earned"),
    Account(code="taxes", kind=Kind.LIABILITY, owner="folio", meaning="tourist tax for the municipality (X-23)"),
    Account(code="insurance", kind=Kind.LIABILITY, owner="folio", meaning="premiums for the insurer (X-23)"),
    Account(code="refunds", kind=Kind.LIABILITY, owner="folio", meaning="refunds decided and not yet final"),
    Account(
        code="disputes",
        kind=Kind.ASSET,
        owner="folio",
        meaning="money that a provider has taken back while a dispute is open (X-13)",
    ),
    Account(code="suspense", kind=Kind.LIABILITY, owner="folio", meaning="receipts without a home (X-16)"),
    Account(code="commissions", kind=Kind.LIABILITY, owner="folio", meaning="what a channel keeps of what it owes (X-20)"),
    Account(code="fees", kind=Kind.INCOME, owner="folio", meaning="service fees charged (S4-5)"),
    Account(code="penalties", kind=Kind.INCOME, owner="property", meaning="prices kept of what was cancelled (S4-32)"),
    Account(code="goodwill", kind=Kind.EXPENSE, owner="property", meaning="given beyond what the rule gives (S4-46)"),
    Account(code="commission_costs", kind=Kind.EXPENSE, owner="property", meaning="commission of channels that collect (X-20)"),
    # vouchers (S0)
    Account(
        code="vouchers", kind=Kind.LIABILITY, owner="voucher", meaning="value of a voucher issued here and not yet used (S0-26)"
    ),
    Account(code="bonus", kind=Kind.EXPENSE, owner="property", meaning="value of vouchers that no money stands for (S0-36)"),
    Account(code="breakage", kind=Kind.INCOME, owner="property", meaning="value of vouchers that was not used in time (S0-28)"),
)


def account(code: str, owner: str) -> str:
    """The account of `owner` under a code of the chart. Raises KeyError for a code that is not in it."""
    return f"{CHART[code].code}:{owner}"


def entry_of(name: str) -> Account:
    """The chart's line for an account. Raises KeyError for a code that is not in the chart."""
    return CHART[name.partition(":")[0]]


def natural(name: str, balance: int) -> int:
    """A balance (debit minus credit) seen from the side on which this account grows."""
    return balance if entry_of(name).kind in (Kind.ASSET, Kind.EXPENSE) else -balance
