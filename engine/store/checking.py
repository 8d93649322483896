"""What the ledger's checks and balances read: sums by account, by folio, and what providers show. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from engine.store.reading import Reading
from engine.store.rows import NUMBERED, Key
from engine.store.statements import marks

_OF_KEYS: Final = (
    f"SELECT tenant, debit, credit, minor, currency FROM decision JOIN transfer_row ON transfer_row.seq >= decision.seq << {NUMBERED}"
    f" AND transfer_row.seq < (decision.seq + 1) << {NUMBERED} WHERE since IN (SELECT since FROM state WHERE id IN"
)
"""What the decisions of some keys have booked: a folio's own, found without a look at the rest of the book."""


class Sums(NamedTuple):
    """A folio's accounts as the ledger has them, debit minus credit, minor units; `guest`: with the channel's in the guest's place."""

    tenant: str
    folio: str
    currency: str
    guest: int
    refunds: int
    suspense: int
    disputes: int
    commissions: int


class FolioRow(NamedTuple):
    """A folio as its state has it."""

    tenant: str
    folio: str
    body: bytes


class VoucherRow(NamedTuple):
    """A voucher as its own book has it, and its account, debit minus credit, minor units."""

    tenant: str
    body: bytes
    account: int


class Shown(NamedTuple):
    """What providers show of one refund that we asked for; `minor` and `result` None: no record is bound to it."""

    tenant: str
    folio: str
    effect: str
    state: str
    minor: int
    level: str | None
    result: str | None
    shown_minor: int | None


def accounts(reading: Reading, *, tenant: str = "", folio: str = "", account: str = "") -> Iterator[tuple[str, str, str, int, int]]:
    """Tenant, currency, account, all debits, all credits, in that order; `account` may end in `*`."""
    book, where = "transfer", []
    values: list[str | bytes] = []
    if folio:
        owners = [tenant] if tenant else reading.tenants()
        book = f"({_OF_KEYS} ({marks(len(owners))}))) AS book"
        values += [Key(owner, "folio", folio).digest() for owner in owners] * 2  # both sides
    elif tenant:
        where.append("tenant = ?")
        values.append(tenant)
    if account:
        prefix = account.removesuffix("*")
        where.append("account = ?" if prefix == account else f"substr(account, 1, {len(prefix)}) = ?")
        values.append(prefix)
    sides = (
        f"SELECT tenant, currency, debit AS account, minor AS debit, 0 AS credit FROM {book}"
        f" UNION ALL SELECT tenant, currency, credit, 0, minor FROM {book}"
    )
    chosen = f" WHERE {' AND '.join(where)}" if where else ""
    yield from reading.each(
        "SELECT tenant, currency, account, CAST(sum(debit) AS BIGINT), CAST(sum(credit) AS BIGINT)"
        f" FROM ({sides}) AS side{chosen} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        values,
    )


def folio_sums(reading: Reading) -> Iterator[Sums]:
    """Every folio that anything was booked for, by tenant and folio."""

    def side(code: str) -> str:
        return f"CASE '{code}:' || folio WHEN debit THEN minor WHEN credit THEN -minor ELSE 0 END"

    def balance(*codes: str) -> str:
        return f"CAST(sum({' + '.join(map(side, codes))}) AS BIGINT)"

    rows = reading.each(
        f"SELECT tenant, folio, currency, {balance('guest', 'channels')}, {balance('refunds')}, {balance('suspense')},"
        f" {balance('disputes')}, {balance('commissions')}"
        " FROM transfer WHERE folio <> '' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    yield from (Sums(*row) for row in rows)


def folios(reading: Reading) -> Iterator[FolioRow]:
    """Every folio's state, by tenant and folio."""
    rows = reading.each("SELECT tenant, key, body FROM state WHERE kind = 'folio' AND body IS NOT NULL ORDER BY tenant, key")
    yield from (FolioRow(*row) for row in rows)


def vouchers(reading: Reading) -> Iterator[VoucherRow]:
    """Every voucher's book with its account of the ledger (S0-26), by tenant and number."""
    side = "SELECT tenant, {side} AS account, {sign}minor AS minor FROM transfer WHERE substr({side}, 1, 9) = 'vouchers:'"
    rows = reading.each(
        "SELECT state.tenant, state.body, CAST(coalesce(book.minor, 0) AS BIGINT) FROM state"
        f" LEFT JOIN (SELECT tenant, account, sum(minor) AS minor FROM ({side.format(side='debit', sign='')} UNION ALL"
        f" {side.format(side='credit', sign='-')}) AS side GROUP BY tenant, account) AS book"
        " ON book.tenant = state.tenant AND book.account = 'vouchers:' || state.key"
        " WHERE state.kind = 'voucher' AND state.body IS NOT NULL ORDER BY state.tenant, state.key"
    )
    yield from (VoucherRow(*row) for row in rows)


def refunds_shown(reading: Reading) -> Iterator[Shown]:
    """Every refund that went to a provider, with the provider's record of it; those whose folio has news waiting are left out."""
    rows = reading.each(
        "SELECT effect.tenant, effect.folio, effect.id, effect.state, effect.minor, provider_record.level, provider_record.result,"
        " provider_record.minor FROM effect LEFT JOIN provider_record ON provider_record.merchant = effect.merchant"
        " AND provider_record.reference = effect.reference AND provider_record.owner = 'effect:' || effect.id"
        " WHERE effect.kind = 'refund' AND NOT EXISTS (SELECT 1 FROM internal WHERE decision = 0 AND internal.tenant = effect.tenant"
        " AND internal.key = effect.folio) ORDER BY effect.tenant, effect.folio, effect.id"
    )
    yield from (Shown(*row) for row in rows)


def totals(reading: Reading) -> dict[str, Any]:
    """How much there is to check."""
    return reading.rows("SELECT (SELECT count(*) FROM transfer_row) AS transfers, (SELECT count(*) FROM effect) AS effects")[0]
