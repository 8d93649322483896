"""What a text may say of a fact and of its booking: sums in minor units, days and instants of the property (A-32, S0-34).

Nothing about a person is among it, and no voucher's number; who is written to, and how, is decided elsewhere.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from handlers import account
from handlers.balance_amounts import came, first, open_later
from handlers.balance_record import LIVE
from handlers.notice_number import hidden
from handlers.payment_states import IN_FLIGHT
from handlers.voucher_schedule import voucher_of
from ledger import recipes
from schemas.booking import CollectedBy
from schemas.common import Fact
from schemas.folio import Folio

_COMMON: Final = frozenset(Fact.__struct_fields__)


def variables(fact: Fact, folio: Folio, zone: ZoneInfo, today: date) -> dict[str, Any]:
    """What a text about this fact may say: the booking and its sums, then the fact's own fields, instants in the property's zone."""
    live = account.live_lines(folio) or folio.lines
    now, later, later_by = _to_pay(folio, today)
    known = {
        "folio": folio.folio,
        "property": folio.property,
        "currency": folio.currency,
        "arrival": min([line.arrival for line in live if line.arrival is not None], default=None),
        "departure": max([line.departure for line in live if line.departure is not None], default=None),
        "ordered": account.ordered(folio),
        "collected": account.collected(folio),
        "balance": account.balance(folio),
        "due_now": folio.due_now,
        "second_payment": folio.second_payment,
        "second_payment_on": folio.second_payment_on,
        "open_now": now,
        "open_later": later,
        "open_later_by": later_by,
        "goodwill": sum([one.collected() for one in folio.payments if one.book == recipes.goodwill_account(folio)]),
    }
    own = {name: _placed(getattr(fact, name), zone) for name in _own(type(fact))}
    plain: dict[str, Any] = msgspec.to_builtins(known | _of_payment(own, folio) | own)
    return hidden(plain, folio)


@cache
def _own(fact: type[Fact]) -> tuple[str, ...]:
    """The fields that facts of this kind have beside those of every fact."""
    return tuple([name for name in fact.__struct_fields__ if name not in _COMMON])


def _placed(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone) if isinstance(value, datetime) else value


def _to_pay(folio: Folio, today: date) -> tuple[int, int, date | None]:
    """S0-11, S4-13: what is asked of the guest now, beside what came, is on its way, or is a voucher's that is checked; then the rest, and
    by when. X-20: nothing of what others collect. What was to be paid later and is late is asked now."""
    if folio.collected_by is not CollectedBy.PROPERTY:
        return 0, 0, None
    on_its_way = sum([one.authorised for one in folio.payments if one.status in IN_FLIGHT and not one.unapplied])
    now, later = first(folio) - came(folio), open_later(folio)
    now, on_its_way = max(0, now - on_its_way), max(0, on_its_way - now)
    later = max(0, later - on_its_way)
    late, by = _late(folio, later, on_its_way, today)
    return now + late, later - late, by if later > late else None


def _late(folio: Folio, later: int, on_its_way: int, today: date) -> tuple[int, date | None]:
    """S4-13, S1-39: how much of what was to be paid later is late, and until when the rest is: no one day where accommodations have
    several. What is on its way pays the earliest first."""
    asked = [one for one in folio.balance_requests if one.status in LIVE and one.amount]
    days: list[date | None] = [one.deadline for one in asked] or [folio.second_payment_on]
    ahead = {day for day in days if day is not None and day >= today}
    if not ahead:
        return later, None
    past = sum([one.amount for one in asked if one.deadline < today])
    return min(later, max(0, past - on_its_way)), min(ahead) if len(ahead) == 1 else None


def _of_payment(own: dict[str, Any], folio: Folio) -> dict[str, Any]:
    """Of a fact about a payment: its means of payment, and of a voucher's what was typed (S0-4)."""
    if "payment" not in own:
        return {}
    payment = account.payment_of(folio, own["payment"])
    voucher = voucher_of(folio, payment.voucher) if payment is not None and payment.voucher else None
    return {"tender": payment.tender if payment is not None else "", "typed": voucher.minor if voucher is not None else None}
