"""OTA's written values to exact ones: dates, instants, amounts. Lenient where writing differs, strict where meaning would.

No float ever: `schemas.money.Money.parse` reads every amount.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final, TypeVar

import msgspec
from lxml import etree

from connectors.channels.ota.tags import TAXES, child
from connectors.channels.ota.xml import bad
from schemas.common import DATES, within_dates
from schemas.money import Money, exponent
from schemas.policy import ChannelProfile

READINGS: Final = ("schema", "major", "comma")
"""How a channel's amounts are read; see `amount`."""

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(?:(Z)|([+-])(\d{1,2})(?::?(\d\d))?)?",
    re.ASCII,
)
# As most write them: Python's own reading is quicker, but accepts more, so it is asked only about these.
_PLAIN_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PLAIN_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_When = TypeVar("_When", date, datetime)
_NIGHTS = re.compile(r"P(\d{1,3})[DN]", re.ASCII)
_WHOLE = re.compile(r"(-?)(\d{1,18})", re.ASCII)


def day(text: str, field: str, name: str) -> date:
    """A calendar day as written, in the property's zone; a time behind it is not read. Raises Undecodable `date_invalid`."""
    plain = text.strip()
    try:
        if _PLAIN_DAY.fullmatch(plain):
            return _bounded(date.fromisoformat(plain))
        match = _MOMENT.fullmatch(plain)
        if match is None:
            raise ValueError
        return _bounded(date(int(match[1]), int(match[2]), int(match[3])))
    except ValueError:
        raise bad("date_invalid", f"{field}/@{name}", text, f"a day that exists is wanted (YYYY-MM-DD), {DATES}") from None


def instant(text: str, field: str) -> datetime | None:
    """An instant in UTC from `2022-07-29T12:15:08+07:00`, `…+0700`, `…+2`, `2022-07-29 12:15:08Z`, `2014-09-01 0:00:00Z`.

    None for nothing, and for a time without zone: that is no instant, and nothing here knows the sender's zone.
    Raises Undecodable `date_invalid`.
    """
    plain = text.strip()
    if not plain:
        return None
    try:
        if _PLAIN_MOMENT.fullmatch(plain):
            return _bounded(datetime.fromisoformat(plain)).astimezone(UTC)
        match = _MOMENT.fullmatch(plain)
        if match is None:
            raise ValueError
        year, month, day_, hour, minute, second, fraction, utc, sign, off_h, off_m = match.groups()
        micros = int((fraction or "0")[:6].ljust(6, "0"))
        local = _bounded(
            datetime(int(year), int(month), int(day_), int(hour or 0), int(minute or 0), int(second or 0), micros, UTC)
        )
        if hour is None or (utc is None and sign is None):
            return None
        if utc:
            return local
        offset = timedelta(hours=int(off_h), minutes=int(off_m or 0))
        return local.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = f"an instant that exists is wanted (YYYY-MM-DDThh:mm:ss and an offset), {DATES}"
        raise bad("date_invalid", field, text, wanted) from None


def _bounded(when: _When) -> _When:
    """Raises ValueError for what is not within `schemas.common.DATES`."""
    if not within_dates(when):
        raise ValueError
    return when


def span(element: etree._Element | None, field: str) -> tuple[date, date] | None:
    """Arrival and departure of a TimeSpan: Start with End, or with a Duration of nights. None if it names no Start.

    Raises Undecodable `date_invalid`, `date_missing`, or `dates_reversed` (a departure before the arrival; the same day may be).
    """
    if element is None:
        return None
    start, end, duration = element.get("Start", ""), element.get("End", ""), element.get("Duration", "")
    if not start.strip():
        return None
    arrival = day(start, field, "Start")
    if end.strip():
        departure = day(end, field, "End")
    elif (nights := _NIGHTS.fullmatch(duration.strip())) is not None:
        try:
            departure = _bounded(arrival + timedelta(days=int(nights[1])))
        except ValueError:
            raise bad("date_invalid", f"{field}/@Duration", duration, f"the stay ends on a day that is not {DATES}") from None
    else:
        raise bad("date_missing", f"{field}/@End", duration, "the departure is missing")
    if departure < arrival:
        raise bad("dates_reversed", f"{field}/@End", end or duration, f"the departure lies before the arrival {arrival}")
    return arrival, departure


def currency_of(text: str, field: str) -> str:
    """An ISO 4217 code in capitals. Raises Undecodable `currency_unknown`."""
    code = text.strip().upper()
    try:
        exponent(code)
    except ValueError:
        raise bad("currency_unknown", field, text, "an ISO 4217 code is wanted") from None
    return code


def amount(text: str, decimals: str | None, currency: str, reading: str, field: str) -> int:
    """An amount in minor units of `currency`, never negative.

    `reading` schema: digits without a point are shifted by DecimalPlaces (8500 with 2 is 85.00); a written point always counts.
    major: DecimalPlaces is not read. comma: as major, with a decimal comma (`1,00`), and a point is refused.
    Raises Undecodable `amount_invalid` or `amount_negative`.
    """
    written, plain = text, text.strip()
    if reading == "comma":
        plain = plain.replace(",", ".") if "." not in plain and plain.count(",") <= 1 else "?"
    elif reading == "schema" and decimals is not None and decimals.strip() and "." not in plain:
        plain = _shifted(plain, decimals.strip())
    try:
        minor = Money.parse(plain, currency).minor
    except ValueError as wrong:
        raise bad(
            "amount_invalid", field, written, f"no amount of {currency} by this channel's reading ({reading}): {wrong}"
        ) from None
    if minor < 0:
        raise bad("amount_negative", field, written, "an amount may not be negative")
    return minor


def _shifted(digits: str, decimals: str) -> str:
    match = _WHOLE.fullmatch(digits)
    if match is None or not decimals.isascii() or not decimals.isdecimal() or int(decimals) > 8:
        return "?"
    places = int(decimals)
    whole = match[2].lstrip("0").rjust(places + 1, "0")
    return f"{match[1]}{whole[:-places]}.{whole[-places:]}" if places else f"{match[1]}{whole}"


class Price(msgspec.Struct, frozen=True):
    """A total as a message states it: minor units, and whether taxes are in it."""

    minor: int
    currency: str
    with_tax: bool


def price(total: etree._Element | None, profile: ChannelProfile, currency: str, field: str) -> Price | None:
    """A `Total`: AmountAfterTax, else AmountBeforeTax with Taxes/@Amount, else AmountBeforeTax, else the vendors' Amount.

    `currency` is used where the element names none. None without an amount. Raises Undecodable, `currency_missing` among others.
    """
    if total is None:
        return None
    for name in ("AmountAfterTax", "AmountBeforeTax", "Amount"):
        written = total.get(name, "")
        if written.strip():
            break
    else:
        return None
    stated = total.get("CurrencyCode", "").strip()
    code = currency_of(stated, f"{field}/@CurrencyCode") if stated else currency
    if not code:
        raise bad("currency_missing", f"{field}/@CurrencyCode", "", "the currency is missing and the channel's profile has none")
    decimals, reading = total.get("DecimalPlaces"), profile.amount_reading
    minor = amount(written, decimals, code, reading, f"{field}/@{name}")
    if name != "AmountBeforeTax":
        return Price(minor, code, with_tax=True)
    taxes = child(total, TAXES)
    tax = "" if taxes is None else taxes.get("Amount", "")
    if taxes is None or not tax.strip():
        return Price(minor, code, with_tax=False)
    minor += amount(tax, taxes.get("DecimalPlaces"), code, reading, f"{field}/Taxes/@Amount")
    return Price(minor, code, with_tax=True)
