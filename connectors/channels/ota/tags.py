"""Names of the OTA elements that are read, a table, and the one way to look for them."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final

from lxml import etree

OTA: Final = "{http://www.opentravel.org/OTA/2003/05}"

ADDRESS: Final = f"{OTA}Address"
ADDRESS_LINE: Final = f"{OTA}AddressLine"
BASIC_PROPERTY_INFO: Final = f"{OTA}BasicPropertyInfo"
CITY_NAME: Final = f"{OTA}CityName"
COUNTRY_NAME: Final = f"{OTA}CountryName"
CUSTOMER: Final = f"{OTA}Customer"
EMAIL: Final = f"{OTA}Email"
GIVEN_NAME: Final = f"{OTA}GivenName"
HOTEL_RES_MODIFIES: Final = f"{OTA}HotelResModifies"
HOTEL_RES_MODIFY: Final = f"{OTA}HotelResModify"
HOTEL_RESERVATION: Final = f"{OTA}HotelReservation"
HOTEL_RESERVATION_ID: Final = f"{OTA}HotelReservationID"
HOTEL_RESERVATIONS: Final = f"{OTA}HotelReservations"
MIDDLE_NAME: Final = f"{OTA}MiddleName"
PERSON_NAME: Final = f"{OTA}PersonName"
POS: Final = f"{OTA}POS"
POSTAL_CODE: Final = f"{OTA}PostalCode"
PRICE: Final = f"{OTA}Price"
PROFILE: Final = f"{OTA}Profile"
PROFILES: Final = f"{OTA}Profiles"
RATE_PLAN: Final = f"{OTA}RatePlan"
RATE_PLANS: Final = f"{OTA}RatePlans"
RES_GLOBAL_INFO: Final = f"{OTA}ResGlobalInfo"
RES_GUESTS: Final = f"{OTA}ResGuests"
ROOM_RATE: Final = f"{OTA}RoomRate"
ROOM_RATES: Final = f"{OTA}RoomRates"
ROOM_STAY: Final = f"{OTA}RoomStay"
ROOM_STAYS: Final = f"{OTA}RoomStays"
ROOM_TYPE: Final = f"{OTA}RoomType"
ROOM_TYPES: Final = f"{OTA}RoomTypes"
SEGMENT: Final = f"{OTA}Segment"
SERVICE: Final = f"{OTA}Service"
SERVICE_DETAILS: Final = f"{OTA}ServiceDetails"
SERVICES: Final = f"{OTA}Services"
STREET_NUMBER: Final = f"{OTA}StreetNmbr"
SURNAME: Final = f"{OTA}Surname"
SURNAME_PREFIX: Final = f"{OTA}SurnamePrefix"
TAXES: Final = f"{OTA}Taxes"
TELEPHONE: Final = f"{OTA}Telephone"
TIME_SPAN: Final = f"{OTA}TimeSpan"
TOTAL: Final = f"{OTA}Total"
UNIQUE_ID: Final = f"{OTA}UniqueID"

inside: Final[Callable[[etree._Element], list[etree._Element]]] = itemgetter(slice(None))
"""All children, in order. A slice, since lxml makes a list of one in a single step."""
_backwards: Final[Callable[[etree._Element], list[etree._Element]]] = itemgetter(slice(None, None, -1))


def children(element: etree._Element | None) -> dict[str, etree._Element]:
    """The first child of each name. What is not of the OTA namespace, or not in this table, is simply never asked for."""
    return {} if element is None else {child.tag: child for child in _backwards(element)}


def child(element: etree._Element | None, tag: str) -> etree._Element | None:
    """The first child of this name."""
    if element is not None:
        for one in element:
            if one.tag == tag:
                return one
    return None


def listed(element: etree._Element | None, tag: str) -> list[etree._Element]:
    """All children of this name, in order."""
    return [] if element is None else [one for one in inside(element) if one.tag == tag]
