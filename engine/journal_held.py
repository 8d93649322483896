"""What stands on vouchers and on receipts without a home, at the ends of a day. Amounts are minor units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from engine.store import journal
from engine.store.journal import Day, Moved, Stood
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


class Held(NamedTuple):
    """What stood on such accounts before the day, and what was booked on them on it."""

    stood: Sequence[Stood]
    moved: Sequence[Moved]


def held(reading: Reading, day: Day) -> Held:
    """Read once for both lists."""
    return Held(journal.stood(reading, day), journal.moved(reading, day))


def vouchers(reading: Reading, day: Day, rows: Held, property_: str) -> tuple[VoucherLiability, ...]:
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


def _of_vouchers(rows: Held) -> Iterator[tuple[tuple[str, str], list[int]]]:
    """Opening, issued, bonus of it, redeemed, expired, by voucher and currency; those that had nothing and did nothing are left out."""
    sums: dict[tuple[str, str], list[int]] = {}
    for voucher, currency, minor in _stood(rows, _VOUCHERS):
        sums[voucher, currency] = [minor, 0, 0, 0, 0]
    for voucher, sign, row in _sides(rows, _VOUCHERS):
        one = sums.setdefault((voucher, row.currency), [0, 0, 0, 0, 0])
        if row.entry in _ISSUED:
            one[1] += sign * row.minor
            one[2] += sign * row.minor if _BONUS in (row.debit[: len(_BONUS)], row.credit[: len(_BONUS)]) else 0
        elif row.entry in _EXPIRED:
            one[4] -= sign * row.minor
        else:
            one[3] -= sign * row.minor
    return ((which, parts) for which, parts in sums.items() if any(parts))


def unapplied(reading: Reading, day: Day, rows: Held, property_: str) -> tuple[UnappliedReceipt, ...]:
    """X-16: what is open at the day's end, by folio and currency."""
    sums = {(folio, currency): minor for folio, currency, minor in _stood(rows, _SUSPENSE)}
    for folio, sign, row in _sides(rows, _SUSPENSE):
        sums[folio, row.currency] = sums.get((folio, row.currency), 0) + sign * row.minor
    open_: Mapping[tuple[str, str], int] = {which: minor for which, minor in sums.items() if minor}
    if property_:
        keys = [Key(day.tenant, "folio", folio) for folio, _ in open_]
        mine = {key.key for key, body in journal.bodies(reading, keys) if _ISSUER.decode(body).property == property_}
        open_ = {which: minor for which, minor in open_.items() if which[0] in mine}
    return tuple(
        UnappliedReceipt(folio=folio, currency=currency, amount=minor) for (folio, currency), minor in sorted(open_.items())
    )


def _stood(rows: Held, code: str) -> Iterator[tuple[str, str, int]]:
    """Owner, currency and amount of each such account that was not empty."""
    for account, currency, minor in rows.stood:
        if account.startswith(code):
            yield account.removeprefix(code), currency, minor


def _sides(rows: Held, code: str) -> Iterator[tuple[str, int, Moved]]:
    """Each side of a transfer that is such an account: its owner, and 1 where it grows (by credit), −1 where it shrinks."""
    for row in rows.moved:
        for account, sign in ((row.credit, 1), (row.debit, -1)):
            if account.startswith(code):
                yield account.removeprefix(code), sign, row
