"""RoomStays and Services of one reservation to booking lines: which dates, which terms, which price, to the cent.

Nothing is guessed of money: a room whose total cannot be told from the message is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec
from lxml import etree

from connectors.channels.ota import tags
from connectors.channels.ota.tags import child, children, listed
from connectors.channels.ota.values import Price, price, span
from connectors.channels.ota.xml import bad, shown
from schemas.booking import BookingLine, LineKind
from schemas.errors import Rejected
from schemas.money import Money, allocate
from schemas.policy import ChannelProfile

_GONE = frozenset(("cancel", "cancelled", "canceled"))


class Rooms(NamedTuple):
    """The RoomStays with the line ids they have here, and which of them the channel marks as cancelled."""

    stays: tuple[tuple[str, etree._Element], ...]
    gone: frozenset[str]


class Lines(NamedTuple):
    """What a booking is made of; `adjusted`: a rounding difference between the rooms and the total was moved into a line."""

    lines: tuple[BookingLine, ...]
    currency: str
    property: str
    adjusted: bool


def rooms_of(container: etree._Element | None) -> Rooms:
    """RoomStays with their line ids: IndexNumber where all have their own, else RPH likewise, else the position from 1."""
    found = listed(container, tags.ROOM_STAY)
    stays = tuple(zip(_ids(found), found, strict=True))
    return Rooms(stays, frozenset([line for line, stay in stays if stay.get("RoomStayStatus", "").strip().lower() in _GONE]))


def _ids(stays: Sequence[etree._Element]) -> list[str]:
    for name in ("IndexNumber", "RPH"):
        named = [stay.get(name, "").strip() for stay in stays]
        if "" not in named and len(set(named)) == len(named):
            return named
    return [str(n) for n in range(1, len(stays) + 1)]


def lines_of(parts: dict[str, etree._Element], profile: ChannelProfile, where: str) -> Lines:
    """The lines of a reservation, its currency and property. `parts`: its children; `where` is its path, for errors.

    Raises Undecodable for what is missing or wrong, Rejected for what this channel's profile does not know.
    """
    info = children(parts.get(tags.RES_GLOBAL_INFO))
    rooms = rooms_of(parts.get(tags.ROOM_STAYS))
    live = [one for one in rooms.stays if one[0] not in rooms.gone]
    if not live:
        raise bad("field_missing", f"{where}/RoomStays/RoomStay", "", "a reservation has at least one room that is not cancelled")
    grand = price(info.get(tags.TOTAL), profile, profile.currency, f"{where}/ResGlobalInfo/Total")
    default = grand.currency if grand else profile.currency
    dates = span(info.get(tags.TIME_SPAN), f"{where}/ResGlobalInfo/TimeSpan")
    made: list[tuple[BookingLine, Price | None]] = []
    hotels = dict[str, str]()
    for line, stay in live:
        field = f"{where}/RoomStays/RoomStay[{line}]"
        inside = children(stay)
        made.append(_room(line, inside, dates, profile, default, field))
        if code := _first("HotelCode", inside.get(tags.BASIC_PROPERTY_INFO)):
            hotels[code] = f"{field}/BasicPropertyInfo/@HotelCode"
    if not hotels:
        hotels = {_first("HotelCode", info.get(tags.BASIC_PROPERTY_INFO)): f"{where}/ResGlobalInfo/BasicPropertyInfo/@HotelCode"}
    made.extend(_services(parts.get(tags.SERVICES), made[0][0], profile, default, where))
    if len(made) > 1 and len({line.line for line, _ in made}) < len(made):
        raise bad("duplicate_line", f"{where}/Services/Service/@ServiceRPH", "", "every room and every service has its own number")
    lines, currency, adjusted = _priced(made, grand, where)
    return Lines(lines, currency, _property(hotels, profile), adjusted)


def _room(
    line: str,
    inside: dict[str, etree._Element],
    dates: tuple[date, date] | None,
    profile: ChannelProfile,
    currency: str,
    field: str,
) -> tuple[BookingLine, Price | None]:
    stay = span(inside.get(tags.TIME_SPAN), f"{field}/TimeSpan") or dates
    if stay is None:
        raise bad("date_missing", f"{field}/TimeSpan/@Start", "", "the arrival is missing")
    kind = child(inside.get(tags.ROOM_TYPES), tags.ROOM_TYPE)
    plan = child(inside.get(tags.RATE_PLANS), tags.RATE_PLAN)
    rates = listed(inside.get(tags.ROOM_RATES), tags.ROOM_RATE)
    rate = rates[0] if rates else None
    code = _first("RatePlanCode", plan, rate) or _first("RatePlanID", plan)
    made = BookingLine(
        line=line,
        price=0,
        trade=profile.trade,
        terms=_terms(code, profile, f"{field}/RatePlans/RatePlan/@RatePlanCode"),
        accommodation=_first("RoomID", kind, rate),
        accommodation_type=_first("RoomTypeCode", kind, rate),
        arrival=stay[0],
        departure=stay[1],
        quantity=_quantity(_first("NumberOfUnits", rate, kind), f"{field}/RoomRates/RoomRate/@NumberOfUnits"),
    )
    return made, price(inside.get(tags.TOTAL), profile, currency, f"{field}/Total") or _sum_of_rates(
        rates, profile, currency, field
    )


def _sum_of_rates(rates: Sequence[etree._Element], profile: ChannelProfile, currency: str, field: str) -> Price | None:
    """A room without total, priced by the totals of all its RoomRates. Nightly rates are not added up."""
    prices = [
        price(child(rate, tags.TOTAL), profile, currency, f"{field}/RoomRates/RoomRate[{n}]/Total")
        for n, rate in enumerate(rates, 1)
    ]
    known = [one for one in prices if one is not None]
    if not known or len(known) < len(prices):
        return None
    if len({(one.currency, one.with_tax) for one in known}) > 1:
        raise bad("currency_mismatch", f"{field}/RoomRates", "", "all rates of a room have one currency and one reading of taxes")
    return Price(sum(one.minor for one in known), known[0].currency, known[0].with_tax)


def _services(
    container: etree._Element | None, first: BookingLine, profile: ChannelProfile, currency: str, where: str
) -> list[tuple[BookingLine, Price | None]]:
    """Services that cost: line ids `S` and ServiceRPH, else the position. What the room's price includes is no line."""
    made = list[tuple[BookingLine, Price | None]]()
    for n, service in enumerate(listed(container, tags.SERVICE), 1):
        if service.get("Inclusive", "").strip().lower() in ("true", "1"):
            continue
        field = f"{where}/Services/Service[{n}]"
        stated = price(child(child(service, tags.PRICE), tags.TOTAL), profile, currency, f"{field}/Price/Total")
        if stated is None:
            raise bad("price_missing", f"{field}/Price/Total", "", "a service that is not Inclusive has a total")
        dates = span(child(child(service, tags.SERVICE_DETAILS), tags.TIME_SPAN), f"{field}/ServiceDetails/TimeSpan")
        arrival, departure = dates or (first.arrival, first.departure)
        code = service.get("ServiceInventoryCode", "").strip()
        line = BookingLine(
            line=f"S{service.get('ServiceRPH', '').strip() or n}",
            kind=LineKind.SERVICE,
            price=0,
            trade=profile.trade,
            terms=profile.terms.get(code) or first.terms,
            accommodation_type=code,
            arrival=arrival,
            departure=departure,
            quantity=_quantity(service.get("Quantity", ""), f"{field}/@Quantity"),
        )
        made.append((line, stated))
    return made


def _priced(
    made: list[tuple[BookingLine, Price | None]], grand: Price | None, where: str
) -> tuple[tuple[BookingLine, ...], str, bool]:
    """Prices into lines, so that they add up to the reservation's total where it has one.

    A single line without price takes what the others leave of the total. Lines before tax under a total after tax share it by their
    weights. A difference of at most one minor unit for each line is rounding, and the first line takes it, since the total is what
    the guest was shown. Anything more is `total_mismatch`.
    """
    total_field = f"{where}/ResGlobalInfo/Total"
    prices = [one for _, one in made]
    known = [one for one in prices if one is not None]
    currency = known[0].currency if known else grand.currency if grand else ""
    for one in known if grand is None else (*known, grand):
        if one.currency != currency:
            raise bad(
                "currency_mismatch",
                f"{total_field}/@CurrencyCode",
                one.currency,
                f"other prices of the reservation are in {currency}",
            )
    if len(known) < len(prices):
        missing = next(line.line for line, one in made if one is None)
        left = grand.minor - sum(one.minor for one in known) if grand else -1
        if len(known) + 1 < len(prices) or left < 0:
            raise bad("price_missing", f"{where}/RoomStays/RoomStay[{missing}]/Total", "", "the room's total cannot be told")
        return _at(made, [left if one is None else one.minor for one in prices]), currency, False
    minors = [one.minor for one in known]
    rest = 0 if grand is None else grand.minor - sum(minors)
    adjusted = False
    if grand is not None and rest:
        if grand.with_tax and rest > 0 and any(minors) and not any(one.with_tax for one in known):
            minors = list(allocate(grand.minor, minors))
        elif abs(rest) <= len(minors) and minors[0] + rest >= 0:
            minors[0] += rest
            adjusted = True
        else:
            stated, added = Money(grand.minor, currency), Money(grand.minor - rest, currency)
            raise bad("total_mismatch", total_field, stated, f"rooms and services add up to {added}")
    return _at(made, minors), currency, adjusted


def _at(made: list[tuple[BookingLine, Price | None]], minors: list[int]) -> tuple[BookingLine, ...]:
    return tuple([msgspec.structs.replace(line, price=n) for (line, _), n in zip(made, minors, strict=True)])


def _property(hotels: dict[str, str], profile: ChannelProfile) -> str:
    """The property of a HotelCode: by the profile's table; without a code, or without any table, its default.

    Raises Rejected `unknown_property` (OTA 392) or `property_mixed`, naming the code.
    """
    *others, (code, field) = hotels.items()
    if others:
        why = f"HotelCode {shown(code)!r}: one reservation is for one hotel, not also for {shown(others[0][0])!r}"
        raise Rejected(f"{field}: {why}", code="property_mixed", field=field, value=shown(code))
    known = profile.properties.get(code, "") or ("" if code and profile.properties else profile.default_property)
    if not known:
        why = f"HotelCode {shown(code)!r} is not known" if code else "HotelCode is missing"
        raise Rejected(f"{field}: {why} for channel {profile.channel}", code="unknown_property", field=field, value=shown(code))
    return known


def _terms(code: str, profile: ChannelProfile, field: str) -> str:
    terms = profile.terms.get(code) or profile.default_terms
    if not terms:
        why = f"rate plan {shown(code)!r} has no terms for channel {profile.channel}"
        raise Rejected(f"{field}: {why}", code="unknown_terms", field=field, value=shown(code))
    return terms


def _quantity(text: str, field: str) -> int:
    plain = text.strip()
    if not plain:
        return 1
    if not plain.isascii() or not plain.isdecimal() or len(plain) > 6 or not 1 <= int(plain) <= 100_000:
        raise bad("value_invalid", field, text, "a number of units from 1 is wanted")
    return int(plain)


def _first(name: str, *elements: etree._Element | None) -> str:
    for element in elements:
        if element is not None and (value := element.get(name, "").strip()):
            return value
    return ""
