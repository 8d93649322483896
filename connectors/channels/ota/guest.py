"""The guest of a reservation, as one person: personal data, sealed before it is stored, never part of an error's text."""

from __future__ import annotations

import re

from lxml import etree

from connectors.channels.ota.values import children
from schemas.booking import Guest
from schemas.cards import scrub_text

_LONGEST = 4000
_FAX = "3"
_DIGITS = re.compile(r"\d")


def guest_of(reservation: dict[str, etree._Element], person: str) -> tuple[Guest, str, bool]:
    """The primary guest (else the first, else the first Customer of ResGlobalInfo), its language, and whether a card was in a text.

    Profiles of agencies and companies are nobody's guest. No guest at all gives one with only the id.
    """
    customer = _customer(reservation)
    if customer is None:
        return Guest(person=person), "", False
    parts = children(customer)
    name = children(parts.get("PersonName"))
    texts = (
        " ".join(filter(None, (_text(name.get(part)) for part in ("GivenName", "MiddleName", "SurnamePrefix", "Surname")))),
        _text(parts.get("Email")),
        _address(children(parts.get("Address"))),
    )
    clean = tuple(scrub_text(text) if _DIGITS.search(text) else (text, False) for text in texts)
    guest = Guest(person=person, name=clean[0][0], email=clean[1][0], address=clean[2][0], phone=_phone(customer))
    return guest, (customer.get("Language") or "")[:2].lower(), any(found for _, found in clean)


def _customer(reservation: dict[str, etree._Element]) -> etree._Element | None:
    guests = reservation.get("ResGuests")
    listed = [] if guests is None else list(guests)
    listed.sort(key=lambda guest: guest.get("PrimaryIndicator", "").lower() not in ("true", "1"))
    for holder in (*listed, reservation.get("ResGlobalInfo")):
        profiles = children(holder).get("Profiles")
        for info in () if profiles is None else profiles:
            customer = children(children(info).get("Profile")).get("Customer")
            if customer is not None:
                return customer
    return None


def _phone(customer: etree._Element) -> str:
    for child in customer:
        if child.tag.endswith("}Telephone") and child.get("PhoneTechType") != _FAX and child.get("PhoneNumber"):
            parts = (child.get("CountryAccessCode", ""), child.get("AreaCityCode", ""), child.get("PhoneNumber", ""))
            return " ".join(part.strip() for part in parts if part.strip())[:_LONGEST]
    return ""


def _address(parts: dict[str, etree._Element]) -> str:
    country = parts.get("CountryName")
    code = "" if country is None else (country.get("Code") or _text(country))
    street = " ".join(filter(None, (_text(parts.get("StreetNmbr")), _text(parts.get("AddressLine")))))
    place = " ".join(filter(None, (_text(parts.get("PostalCode")), _text(parts.get("CityName")))))
    return ", ".join(filter(None, (street, place, code)))


def _text(element: etree._Element | None) -> str:
    return "" if element is None else " ".join((element.text or "").split())[:_LONGEST]
