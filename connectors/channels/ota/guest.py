"""The guest of a reservation, as one person: personal data, sealed before it is stored, never part of an error's text."""

from __future__ import annotations

import re

from lxml import etree

from connectors.channels.ota import tags
from connectors.channels.ota.tags import child, children, inside, listed
from schemas.booking import Guest
from schemas.cards import scrub_text

_LONGEST = 4000
_FAX = "3"
_NAME_PARTS = (tags.GIVEN_NAME, tags.MIDDLE_NAME, tags.SURNAME_PREFIX, tags.SURNAME)
_STREET_PARTS = (tags.STREET_NUMBER, tags.ADDRESS_LINE)
_PLACE_PARTS = (tags.POSTAL_CODE, tags.CITY_NAME)
_APART = "\n" * 4  # nothing that is like a card reaches across
# What is not like this need not be searched. One class of first letters, since only then most of a text is passed over at once.
_CARD_LIKE = re.compile(r"[\dcC](?:(?<=\d)(?<!\d\d)(?:\D{0,3}\d){11}|(?<=[cC])(?i:v[cv]|sc|ode|rypto))")


def guest_of(reservation: dict[str, etree._Element], person: str) -> tuple[Guest, str, bool]:
    """The primary guest (else the first, else the first Customer of ResGlobalInfo), its language, and whether a card was in a text.
    `reservation`: its children.

    Profiles of agencies and companies are nobody's guest. No guest at all gives one with only the id.
    """
    customer = _customer(reservation)
    if customer is None:
        return Guest(person=person), "", False
    parts = children(customer)
    texts = (
        _joined(children(parts.get(tags.PERSON_NAME)), _NAME_PARTS),
        _text(parts.get(tags.EMAIL)),
        _address(children(parts.get(tags.ADDRESS))),
    )
    card = False
    if _CARD_LIKE.search(_APART.join(texts)):
        clean = tuple(scrub_text(text) for text in texts)
        card = any(found for _, found in clean)
        texts = clean[0][0], clean[1][0], clean[2][0]
    guest = Guest(person=person, name=texts[0], email=texts[1], address=texts[2], phone=_phone(customer))
    return guest, (customer.get("Language") or "")[:2].lower(), card


def _customer(reservation: dict[str, etree._Element]) -> etree._Element | None:
    guests = reservation.get(tags.RES_GUESTS)
    everyone = [] if guests is None else inside(guests)
    if len(everyone) > 1:
        everyone.sort(key=lambda guest: guest.get("PrimaryIndicator", "").lower() not in ("true", "1"))
    for holder in (*everyone, reservation.get(tags.RES_GLOBAL_INFO)):
        profiles = child(holder, tags.PROFILES)
        for info in () if profiles is None else inside(profiles):
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
    return ", ".join(filter(None, (_joined(parts, _STREET_PARTS), _joined(parts, _PLACE_PARTS), code)))


def _joined(parts: dict[str, etree._Element], names: tuple[str, ...]) -> str:
    return " ".join([text for name in names if name in parts and (text := _text(parts[name]))])


def _text(element: etree._Element | None) -> str:
    return "" if element is None else " ".join((element.text or "").split())[:_LONGEST]
