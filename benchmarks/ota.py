"""An XML channel's reservation of 7 KB, from bytes to a checked message, against lxml's bare parse and the same reads.

The bare side is what somebody in a hurry would write with lxml, and written to be fast: parse, take the same elements and attributes,
keep their text in a dictionary. It refuses nothing, knows no encoding, no amount and no date, and keeps whatever stands in a name.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from benchmarks.setting import Figures, Setting
from connectors.channels.ota.codec import decode
from connectors.channels.ota.document import Decoded
from schemas.policy import ChannelProfile

MESSAGE = Path(__file__).parents[1] / "tests/golden/ota/alpinebits/reservation-push/message.xml"
_REFERENCE, _NAME = b"6b34fe24ac2ff810", b"<GivenName>Otto<"
_PROFILE = ChannelProfile(
    channel="demo", tenant="azur", properties={}, default_property="camp-azur", terms={}, default_terms="outdoor/flexible"
)
_KEY = bytes(range(32))
_NS = "{http://www.opentravel.org/OTA/2003/05}"


def _tags(names: str) -> dict[str, str]:
    return {name: f"{_NS}{name}" for name in names.split()}


_T = _tags(
    "Address AddressLine BasicPropertyInfo CityName CountryName Customer Email GivenName HotelReservation HotelReservations"
    " MiddleName PaymentCard PersonName PostalCode Profile ProfileInfo Profiles RatePlan RatePlans ResGlobalInfo ResGuest ResGuests"
    " RoomRate RoomRates RoomStay RoomStays RoomType RoomTypes Services StreetNmbr Surname SurnamePrefix Telephone TimeSpan Total"
    " UniqueID"
)
_OF_A_ROOM = tuple(
    (tuple(_T[step] for step in path.split("/")), tuple(names.split()))
    for path, names in (
        ("RoomTypes/RoomType", "RoomTypeCode RoomID NumberOfUnits"),
        ("RatePlans/RatePlan", "RatePlanCode RatePlanID"),
        ("RoomRates/RoomRate", "RatePlanCode NumberOfUnits"),
        ("TimeSpan", "Start End Duration"),
        ("Total", "AmountAfterTax AmountBeforeTax CurrencyCode DecimalPlaces"),
        ("BasicPropertyInfo", "HotelCode"),
    )
)
_OF_ALL = (("Total", ("AmountAfterTax", "CurrencyCode")), ("TimeSpan", ("Start", "End")), ("BasicPropertyInfo", ("HotelCode",)))
_TO_CUSTOMER = tuple(_T[step] for step in ["ResGuests", "ResGuest", "Profiles", "ProfileInfo", "Profile", "Customer"])
_NAMES = ("GivenName", "MiddleName", "SurnamePrefix", "Surname")
_PLACE = ("StreetNmbr", "AddressLine", "PostalCode", "CityName")


def bare(body: bytes) -> dict[str, Any]:
    """Everything that the codec reads of such a message, as text."""
    root = etree.fromstring(body)
    found = _inside(_inside(root)[_T["HotelReservations"]])[_T["HotelReservation"]]
    parts = _inside(found)
    told: dict[str, Any] = {"kind": root.tag}
    for name in ("EchoToken", "TimeStamp", "Version", "Target", "PrimaryLangID"):
        told[name] = root.get(name)
    for name in ("ResStatus", "CreateDateTime", "LastModifyDateTime"):
        told[name] = found.get(name)
    unique = _T["UniqueID"]
    told["ids"] = [(one.get("Type"), one.get("ID"), one.get("ID_Context")) for one in found if one.tag == unique]
    told["rooms"] = [_room(stay) for stay in parts[_T["RoomStays"]] if stay.tag == _T["RoomStay"]]
    told["services"] = [dict(service.attrib) for service in parts.get(_T["Services"], ())]
    told["cards"] = len(list(found.iter(_T["PaymentCard"])))
    info = _inside(parts.get(_T["ResGlobalInfo"]))
    for element, names in _OF_ALL:
        one = info.get(_T[element])
        told[element] = None if one is None else [one.get(name) for name in names]
    customer = found
    for tag in _TO_CUSTOMER:
        customer = _inside(customer)[tag]
    about = _inside(customer)
    person, address = _inside(about.get(_T["PersonName"])), _inside(about.get(_T["Address"]))
    told["name"] = [_text(person, name) for name in _NAMES]
    told["email"] = _text(about, "Email")
    phone = _T["Telephone"]
    told["phones"] = [(one.get("PhoneTechType"), one.get("PhoneNumber")) for one in customer if one.tag == phone]
    told["address"] = [_text(address, name) for name in _PLACE]
    told["country"] = address[_T["CountryName"]].get("Code")
    told["language"] = customer.get("Language")
    return told


def _room(stay: etree._Element) -> dict[str, str | None]:
    room = {name: stay.get(name) for name in ("IndexNumber", "RPH", "RoomStayStatus")}
    parts = _inside(stay)
    for path, names in _OF_A_ROOM:
        element = parts.get(path[0])
        if element is not None and len(path) > 1:
            element = _inside(element).get(path[1])
        if element is not None:
            for name in names:
                room[name] = element.get(name)
    return room


def _inside(element: etree._Element | None) -> dict[str, etree._Element]:
    return {} if element is None else {one.tag: one for one in element}


def _text(parts: dict[str, etree._Element], name: str) -> str | None:
    element = parts.get(_T[name])
    return None if element is None else element.text


def read(body: bytes) -> Decoded:
    """The hub's way."""
    return decode(body, _PROFILE, key=_KEY)


def bodies(count: int, seed: int) -> list[bytes]:
    """The message under names of their own."""
    luck, message = random.Random(seed), MESSAGE.read_bytes()
    assert message.count(_REFERENCE) == message.count(_NAME) == 1
    return [
        message.replace(_REFERENCE, b"%016x" % luck.getrandbits(64)).replace(_NAME, b"<GivenName>G%05d<" % n) for n in range(count)
    ]


def measure(setting: Setting) -> Figures:
    """`ota_ratio`: both sides take turns on the same bodies."""
    made = bodies(setting.documents, setting.seed)
    for body in made:
        check(read(body), bare(body))
    ratios, ours, theirs = [], [], []
    for _ in range(5 * setting.runs):
        ours.append(_rate(read, made))
        theirs.append(_rate(bare, made))
        ratios.append(ours[-1] / theirs[-1])
    size = len(made[0])
    setting.say(f"{size} bytes: {statistics.median(ours):,.0f}/s to a checked message, {statistics.median(theirs):,.0f}/s bare")
    return {
        "ota_ratio": round(statistics.median(ratios), 3),
        "ota_per_s": round(statistics.median(ours)),
        "ota_bare_per_s": round(statistics.median(theirs)),
        "ota_bytes": size,
    }


def _rate(act: Callable[[bytes], object], made: Sequence[bytes]) -> float:
    begun = time.perf_counter()
    for body in made:
        act(body)
    return len(made) / (time.perf_counter() - begun)


def check(decoded: Decoded, told: dict[str, Any]) -> None:
    """Both sides have read the same; else there is no figure."""
    (item,) = decoded.items
    booking: Any = item.message
    (line,), (room,) = booking.lines, told["rooms"]
    ours = (decoded.kind, item.reference, booking.guest.name, booking.guest.email, booking.guest.phone, booking.language)
    phones = [number for kind, number in told["phones"] if kind != "3"]
    names = " ".join(filter(None, told["name"]))
    assert ours == (told["kind"].removeprefix(_NS), told["ids"][0][1], names, told["email"], phones[0], told["language"]), (
        ours,
        told,
    )
    stay = (line.accommodation_type, str(line.arrival), str(line.departure), line.price, booking.currency)
    minor = int(room["AmountAfterTax"]) * 100
    assert stay == (room["RoomTypeCode"], room["Start"], room["End"], minor, room["CurrencyCode"]), (stay, room)
    assert [warned.code for warned in item.warnings] == ["guarantee_scrubbed"] * told["cards"], (item.warnings, told["cards"])
    assert booking.guest.address.endswith(told["country"]), booking.guest.address
    assert all(part in booking.guest.address for part in told["address"] if part), booking.guest.address
