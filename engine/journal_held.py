"""What stands on vouchers and on receipts without a home, at the ends of a day. Amounts are minor units.

Reads what was ever booked on such accounts, and no other part of the book.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from engine.store import journal
from engine.store.journal import Day, Held
from engine.store.reading import Reading
from engine.store.rows import Key

_VOUCHERS: Final = "vouchers:"
_SUSPENSE: Final = "suspense:"
_BONUS: Final = "bonus:"
_ISSUED: Final = frozenset({"voucher_issued", "voucher_withdrawn", "voucher_bonus", "voucher_bonus_withdrawn"})
_EXPIRED: Final = frozenset({"voucher_unused", "voucher_used_after_all", "voucher_expired", "voucher_revived"})


class VoucherLiability(msgspec.Struct, frozen=True, kw_only=True):
    """What vouchers issued here are worth to those who have them (S0-26, S0-36), of one issuer: closing = opening + issued − redeemed −
    expired. `bonus` of `issued` no money stands for."""

    entity: str
    currency: str
    opening: int
    issued: int
    bonus: int
    redeemed: int
    expired: int
    closing: int


class UnappliedReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """Money of a folio that has no home at the day's end (X-16)."""

    folio: str
    currency: str
    amount: int


class _Issuer(msgspec.Struct, frozen=True):
    property: str = ""
    entity: str = ""


_ISSUER: Final = msgspec.json.Decoder(_Issuer)


def vouchers(reading: Reading, day: Day, rows: Sequence[Held], property_: str) -> tuple[VoucherLiability, ...]:
    """S0-26, S0-36: by issuer and currency; of the vouchers of one property where it is named. Bonus is in `issued` as in the rest."""
    moved = dict(_of_vouchers(rows))
    issuers = {
        key.key: _ISSUER.decode(body)
        for key, body in journal.bodies(reading, [Key(day.tenant, "voucher", one) for one, _ in moved])
    }
    sums: dict[tuple[str, str], list[int]] = {}
    for (voucher, currency), parts in moved.items():
        issuer = issuers.get(voucher, _Issuer())
        if property_ in ("", issuer.property):
            one = sums.setdefault((issuer.entity, currency), [0, 0, 0, 0, 0])
            sums[issuer.entity, currency] = [had + more for had, more in zip(one, parts, strict=True)]
    return tuple(
        VoucherLiability(
            entity=entity,
            currency=currency,
            opening=opening,
            issued=issued,
            bonus=bonus,
            redeemed=redeemed,
            expired=expired,
            closing=opening + issued - redeemed - expired,
        )
        for (entity, currency), (opening, issued, bonus, redeemed, expired) in sorted(sums.items())
    )


def _of_vouchers(rows: Sequence[Held]) -> Iterator[tuple[tuple[str, str], list[int]]]:
    """Opening, issued, bonus of it, redeemed, expired, by voucher and currency; those that had nothing and did nothing are left out."""
    sums: dict[tuple[str, str], list[int]] = {}
    for account, sign, row in _sides(rows, _VOUCHERS):
        one = sums.setdefault((account, row.currency), [0, 0, 0, 0, 0])
        one[0] += sign * row.before
        if row.entry in _ISSUED:
            one[1] += sign * row.during
            one[2] += sign * row.during if _BONUS in (row.debit[: len(_BONUS)], row.credit[: len(_BONUS)]) else 0
        elif row.entry in _EXPIRED:
            one[4] -= sign * row.during
        else:
            one[3] -= sign * row.during
    return ((which, parts) for which, parts in sums.items() if any(parts))


def unapplied(reading: Reading, day: Day, rows: Sequence[Held], property_: str) -> tuple[UnappliedReceipt, ...]:
    """X-16: what is open at the day's end, by folio and currency."""
    sums: dict[tuple[str, str], int] = {}
    for account, sign, row in _sides(rows, _SUSPENSE):
        sums[account, row.currency] = sums.get((account, row.currency), 0) + sign * (row.before + row.during)
    open_: Mapping[tuple[str, str], int] = {which: minor for which, minor in sums.items() if minor}
    if property_:
        keys = [Key(day.tenant, "folio", folio) for folio, _ in open_]
        mine = {key.key for key, body in journal.bodies(reading, keys) if _ISSUER.decode(body).property == property_}
        open_ = {which: minor for which, minor in open_.items() if which[0] in mine}
    return tuple(
        UnappliedReceipt(folio=folio, currency=currency, amount=minor) for (folio, currency), minor in sorted(open_.items())
    )


def _sides(rows: Sequence[Held], code: str) -> Iterator[tuple[str, int, Held]]:
    """Each side of a transfer that is such an account: its owner, and 1 where it grows (by credit), −1 where it shrinks."""
    for row in rows:
        for account, sign in ((row.credit, 1), (row.debit, -1)):
            if account.startswith(code):
                yield account.removeprefix(code), sign, row
