"""Is the book true? Sums per currency, every folio's accounts against its state, refunds against what providers show.

Amounts are minor units. Reads one consistent state of the store, a row at a time; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from engine.store import checking
from engine.store.contract import Store
from engine.store.reading import Reading
from handlers import account
from handlers.dispute_record import at_stake
from handlers.refund_parts import open_minor
from ledger.balance import Row, out_of_balance
from ledger.chart import entry_of
from schemas.effect import EffectState
from schemas.folio import Folio, PartStatus, RefundPart
from schemas.voucher import VoucherOrigin
from schemas.voucher_book import Voucher

SHOWN: Final = 50
_BY_HAND: Final = frozenset({EffectState.REFUSED, EffectState.REVERSED})
_DECODER: Final = msgspec.json.Decoder(Folio)
_VOUCHERS: Final = msgspec.json.Decoder(Voucher)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Two places that must say the same and do not: `ledger` against `other`, which `rule` says is what."""

    rule: str
    tenant: str
    subject: str
    ledger: int
    other: int
    currency: str = ""
    text: str = ""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """How much was checked, and what was found; `findings` holds the first ones."""

    transfers: int
    folios: int
    effects: int
    findings: tuple[Finding, ...]

    @property
    def true(self) -> bool:
        """Nothing was found."""
        return not self.findings


class AccountBalance(msgspec.Struct, frozen=True, kw_only=True):
    """One account: `balance` is debit minus credit, minor units."""

    tenant: str
    account: str
    kind: str
    currency: str
    debit: int
    credit: int
    balance: int


def balances(reading: Reading, *, tenant: str = "", folio: str = "", name: str = "") -> Iterator[AccountBalance]:
    """Every account that was touched, by tenant, currency and name. `name` may end in `*`."""
    for owner, currency, which, debit, credit in checking.accounts(reading, tenant=tenant, folio=folio, account=name):
        kind = entry_of(which).kind.value
        yield AccountBalance(
            tenant=owner, account=which, kind=kind, currency=currency, debit=debit, credit=credit, balance=debit - credit
        )


def check(store: Store, *, shown: int = SHOWN) -> Checked:
    """X-4 and what follows from it, for the whole store."""
    reading = Reading(store)
    findings: list[Finding] = []
    seen = {"folios": 0}
    with store.read():  # one consistent state
        for finding in _all(reading, seen):
            findings.append(finding)
            if len(findings) >= shown:
                break
        size = checking.totals(reading)
    return Checked(transfers=size["transfers"], folios=seen["folios"], effects=size["effects"], findings=tuple(findings))


def _all(reading: Reading, seen: dict[str, int]) -> Iterator[Finding]:
    yield from _sums(reading)
    yield from _folios(reading, seen)
    yield from _vouchers(reading)


def _sums(reading: Reading) -> Iterator[Finding]:
    """X-4: debits are credits in every currency, and every account is in the chart."""
    sums: dict[tuple[str, str], int] = {}
    for tenant, currency, which, debit, credit in checking.accounts(reading):
        try:
            row = Row(currency=currency, account=which, kind=entry_of(which).kind, debit=debit, credit=credit)
        except KeyError:
            yield Finding(
                rule="X-4", tenant=tenant, subject=which, ledger=debit - credit, other=0, currency=currency, text="not in the chart"
            )
            continue
        for owner, minor in out_of_balance([row]).items():
            sums[tenant, owner] = sums.get((tenant, owner), 0) + minor
    for (tenant, currency), minor in sums.items():
        if minor:
            yield Finding(
                rule="X-4", tenant=tenant, subject="all accounts", ledger=minor, other=0, currency=currency, text="sum is not zero"
            )


def _folios(reading: Reading, seen: dict[str, int]) -> Iterator[Finding]:
    """Each folio's guest, refund, suspense and dispute account against its state, and its refunds against the provider's records."""
    sums = checking.folio_sums(reading)
    effects = checking.refunds_shown(reading)
    booked = next(sums, None)
    shown = next(effects, None)
    for row in checking.folios(reading):
        folio = _DECODER.decode(row.body)
        name = (row.tenant, row.folio)
        seen["folios"] += 1
        while booked is not None and booked[:2] < name:
            yield _orphan(booked)
            booked = next(sums, None)
        accounts = checking.Sums(*name, folio.currency, 0, 0, 0, 0, 0)
        while booked is not None and booked[:2] == name:
            if booked.currency == folio.currency:
                accounts = booked
            else:
                yield _orphan(booked)
            booked = next(sums, None)
        yield from _folio(folio, accounts)
        while shown is not None and (shown.tenant, shown.folio) < name:
            shown = next(effects, None)
        parts = {part.effect: part for refund in folio.refunds for part in refund.parts if part.effect}
        while shown is not None and (shown.tenant, shown.folio) == name:
            yield from _refund(folio, parts.get(shown.effect), shown)
            shown = next(effects, None)
    while booked is not None:
        yield _orphan(booked)
        booked = next(sums, None)


def _vouchers(reading: Reading) -> Iterator[Finding]:
    """S0-26: of a voucher issued here the account is what its own book has left; of others there is none. What a folio behind a defect has
    not booked yet is found too."""
    for row in checking.vouchers(reading):
        book = _VOUCHERS.decode(row.body)
        left = book.left if book.origin is VoucherOrigin.ISSUED_HERE else 0
        if -row.account != left:
            yield Finding(
                rule="S0-26",
                tenant=row.tenant,
                subject=f"vouchers:{book.key}",
                ledger=-row.account,
                other=left,
                currency=book.currency,
                text="what the voucher has left",
            )


def _orphan(sums: checking.Sums) -> Finding:
    return Finding(
        rule="X-4",
        tenant=sums.tenant,
        subject=f"folio {sums.folio}",
        ledger=sums.guest,
        other=0,
        currency=sums.currency,
        text="booked for a folio that has no such account",
    )


def _folio(folio: Folio, sums: checking.Sums) -> Iterator[Finding]:
    unapplied = sum(payment.collected() for payment in folio.payments if payment.unapplied)
    for rule, code, ledger, other, text in (
        ("S4-22", "guest", sums.guest, account.balance(folio), "ordered less collected"),
        ("X-3", "refunds", -sums.refunds, sum(map(open_minor, folio.refunds)), "refunds decided and not yet with the guest"),
        ("X-16", "suspense", -sums.suspense, unapplied, "receipts without a home"),
        ("X-13", "disputes", sums.disputes, sum(map(at_stake, folio.disputes)), "taken by providers while a dispute is open"),
        ("X-20", "commissions", -sums.commissions, folio.commission, "what the channel keeps of what it owes"),
    ):
        if ledger != other:
            yield Finding(
                rule=rule,
                tenant=folio.tenant,
                subject=f"{code}:{folio.folio}",
                ledger=ledger,
                other=other,
                currency=folio.currency,
                text=text,
            )


def _refund(folio: Folio, part: RefundPart | None, shown: checking.Shown) -> Iterator[Finding]:
    """X-3: what the ledger says went back is what the request asked for, its state says, and the provider shows."""
    left = part.minor if part is not None and part.status is PartStatus.EXECUTED else 0
    said = shown.minor if shown.state == EffectState.CONFIRMED else 0
    subject = f"effect {shown.effect}"
    elsewhere = left and shown.state in _BY_HAND  # it failed there and was given back by a person's hands
    if left != said and not elsewhere and not (part is not None and part.status is PartStatus.DROPPED):
        yield Finding(
            rule="X-3",
            tenant=folio.tenant,
            subject=subject,
            ledger=left,
            other=said,
            currency=folio.currency,
            text="state of the request",
        )
    if shown.level is not None and said and (shown.result != "confirmed" or shown.shown_minor not in (None, shown.minor)):
        other = (shown.shown_minor or 0) if shown.result == "confirmed" else 0
        yield Finding(
            rule="X-3",
            tenant=folio.tenant,
            subject=subject,
            ledger=left,
            other=other,
            currency=folio.currency,
            text=f"the provider's record {shown.level} ({shown.result})",
        )
