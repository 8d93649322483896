"""The guest of a reservation, as one person: personal data, sealed before it is stored, never part of an error's text."""

from __future__ import annotations

import re

from lxml import etree

from connectors.channels.ota import tags
from connectors.channels.ota.tags import child, children, listed
from schemas.booking import Guest
from schemas.cards import scrub_text

_LONGEST = 4000
_FAX = "3"
_NAME_PARTS = (tags.GIVEN_NAME, tags.MIDDLE_NAME, tags.SURNAME_PREFIX, tags.SURNAME)
_CARD_LIKE = re.compile(r"\d(?:\D{0,3}\d){11}|(?i:cv[cv]|csc|code|crypto)")  # what is not like this need not be searched


def guest_of(reservation: etree._Element, person: str) -> tuple[Guest, str, bool]:
    """The primary guest (else the first, else the first Customer of ResGlobalInfo), its language, and whether a card was in a text.

    Profiles of agencies and companies are nobody's guest. No guest at all gives one with only the id.
    """
    customer = _customer(reservation)
    if customer is None:
        return Guest(person=person), "", False
    parts = children(customer)
    name = children(parts.get(tags.PERSON_NAME))
    texts = (
        " ".join(filter(None, (_text(name.get(part)) for part in _NAME_PARTS))),
        _text(parts.get(tags.EMAIL)),
        _address(children(parts.get(tags.ADDRESS))),
    )
    clean = tuple(scrub_text(text) if _CARD_LIKE.search(text) else (text, False) for text in texts)
    guest = Guest(person=person, name=clean[0][0], email=clean[1][0], address=clean[2][0], phone=_phone(customer))
    return guest, (customer.get("Language") or "")[:2].lower(), any(found for _, found in clean)


def _customer(reservation: etree._Element) -> etree._Element | None:
    guests = child(reservation, tags.RES_GUESTS)
    everyone = [] if guests is None else list(guests)
    everyone.sort(key=lambda guest: guest.get("PrimaryIndicator", "").lower() not in ("true", "1"))
    for holder in (*everyone, child(reservation, tags.RES_GLOBAL_INFO)):
        profiles = child(holder, tags.PROFILES)
        for info in () if profiles is None else profiles:
            customer = child(child(info, tags.PROFILE), tags.CUSTOMER)
            if customer is not None:
                return customer
    return None


def _phone(customer: etree._Element) -> str:
    for phone in listed(customer, tags.TELEPHONE):
        if phone.get("PhoneTechType") != _FAX and phone.get("PhoneNumber"):
            parts = (phone.get("CountryAccessCode", ""), phone.get("AreaCityCode", ""), phone.get("PhoneNumber", ""))
            return " ".join(part.strip() for part in parts if part.strip())[:_LONGEST]
    return ""


def _address(parts: dict[str, etree._Element]) -> str:
    country = parts.get(tags.COUNTRY_NAME)
    code = "" if country is None else (country.get("Code") or _text(country))
    street = " ".join(filter(None, (_text(parts.get(tags.STREET_NUMBER)), _text(parts.get(tags.ADDRESS_LINE)))))
    place = " ".join(filter(None, (_text(parts.get(tags.POSTAL_CODE)), _text(parts.get(tags.CITY_NAME)))))
    return ", ".join(filter(None, (street, place, code)))


def _text(element: etree._Element | None) -> str:
    return "" if element is None else " ".join((element.text or "").split())[:_LONGEST]
