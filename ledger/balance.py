"""Balances from transfers: by account, as a trial balance, and the sums that must be zero (X-4)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ledger.chart import Kind, entry_of
from ledger.transfer import Transfer


class Row(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One account in one currency; `debit` and `credit` are all that was booked, minor units."""

    currency: str
    account: str
    kind: Kind
    debit: int
    credit: int

    @property
    def balance(self) -> int:
        """Debit minus credit."""
        return self.debit - self.credit


def trial_balance(transfers: Iterable[Transfer]) -> tuple[Row, ...]:
    """Every account that was touched, sorted by currency and name. Raises KeyError for an account outside the chart."""
    sums: dict[tuple[str, str], list[int]] = {}
    for transfer in transfers:
        sums.setdefault((transfer.currency, transfer.debit), [0, 0])[0] += transfer.minor
        sums.setdefault((transfer.currency, transfer.credit), [0, 0])[1] += transfer.minor
    return tuple(
        Row(currency=currency, account=name, kind=entry_of(name).kind, debit=debit, credit=credit)
        for (currency, name), (debit, credit) in sorted(sums.items())
    )


def balance(transfers: Iterable[Transfer], account: str, currency: str) -> int:
    """Debit minus credit of one account, minor units of `currency`."""
    return sum(
        ((transfer.debit == account) - (transfer.credit == account)) * transfer.minor
        for transfer in transfers
        if transfer.currency == currency
    )


def out_of_balance(rows: Iterable[Row]) -> dict[str, int]:
    """Currencies whose balances do not sum to zero, with the sum: empty means the book is true (X-4)."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + row.balance
    return {currency: minor for currency, minor in sums.items() if minor}
