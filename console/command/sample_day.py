"""A campsite's day as messages: what the PMS, the guests, an XML channel and the reception say. Data only; `sample_play` brings it.

Every date is relative to `day`, so that the terms meet the tranches that the story is about (outdoor/flexible: 4 and 1 days before;
outdoor/nanr: nothing back). Amounts are minor units of EUR. Nobody in it exists.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from schemas.envelope import type_of

TENANT: Final = "azur"
MERCHANT: Final = "azur"
CHANNEL: Final = "demo"
NAMESPACE: Final = f"ota:{CHANNEL}"
RESERVATION: Final = "CAMP-77"
SILENT, NO_SHOW, PARTIAL, UNKNOWN = "B-2001", "B-2003", "B-2004", "B-9999"
FOLIOS: Final = (SILENT, NO_SHOW, PARTIAL, UNKNOWN)
"""The folios that are named; the channel knows its own by its UniqueID and the hub gives it an id."""

SCRIPT: Final[dict[str, Any]] = {
    "about": "Takes the refund of B2001-1 and says nothing; tells of it later, twice. Everything else is answered at once.",
    "rules": [
        {
            "name": "silent",
            "when": {"order": "B2001-1", "operation": ["RFD", "RFS"]},
            "answer": "silence",
            "callbacks": {"repeat": 2, "delay_s": 6},
        }
    ],
}
"""What the simulated provider plays."""


def event(id_: str, name: str, data: dict[str, Any], source: str = "pms.thais") -> dict[str, Any]:
    """One CloudEvents object."""
    return {
        "specversion": "1.0",
        "id": f"sample-{id_}",
        "source": source,
        "type": type_of(name),
        "tenant": TENANT,
        "datacontenttype": "application/json",
        "data": data,
    }


def booking(folio: str, day: date, nights: tuple[int, int], lines: tuple[tuple[str, int, str], ...], **more: Any) -> dict[str, Any]:
    """`nights`: arrival and departure in days from `day`; `lines`: kind, price, terms."""
    arrival, departure = ((day + timedelta(days=days)).isoformat() for days in nights)
    number = folio.removeprefix("B-")
    data = {
        "actor": {"kind": "system", "id": "thais"},
        "folio": folio,
        "references": [
            {"namespace": "pms:thais", "value": f"88{number}"},
            {"namespace": f"ogone:{MERCHANT}:order", "value": f"B{number}-1"},
        ],
        "revision": 1,
        "property": "camp-azur",
        "channel": "web",
        "currency": "EUR",
        "booked_at": f"{day - timedelta(days=30)}T10:00:00+01:00",
        "language": "fr",
        "guest": {"person": f"p-{number}", "name": "Camille Exemple", "email": "camille@example.org"},
        "lines": [
            {
                "line": str(place),
                "kind": kind,
                "trade": "outdoor",
                "accommodation": f"pitch-{number}-{place}" if kind == "stay" else "",
                "accommodation_type": "pitch" if kind == "stay" else "",
                "arrival": arrival,
                "departure": departure,
                "price": price,
                "terms": terms,
            }
            for place, (kind, price, terms) in enumerate(lines, 1)
        ],
        **more,
    }
    return event(f"booking-{folio}", "booking.confirmed", data)


def silent_booking(day: date) -> dict[str, Any]:
    """Two services with different terms, a fee, split payment; the arrival is three days away."""
    lines = (("stay", 12000, "outdoor/flexible"), ("service", 8000, "outdoor/nanr"))
    return booking(SILENT, day, (3, 10), lines, payment_plan="split", service_fee=500)


def no_show_booking(day: date) -> dict[str, Any]:
    """Arrival was yesterday."""
    return booking(NO_SHOW, day, (-1, 4), (("stay", 9000, "outdoor/flexible"),))


def partial_booking(day: date) -> dict[str, Any]:
    """Two stays, twenty days away."""
    return booking(PARTIAL, day, (20, 27), (("stay", 15000, "outdoor/flexible"), ("stay", 10000, "outdoor/flexible")))


def payment(folio: str, payid: str, minor: int) -> dict[str, Any]:
    """The PMS tells of a card payment; it knows only the order's number."""
    number = folio.removeprefix("B-")
    data = {
        "actor": {"kind": "system", "id": "thais"},
        "references": [{"namespace": f"ogone:{MERCHANT}:order", "value": f"B{number}-1"}],
        "payment": f"P-{number}",
        "tender": "card",
        "amount": minor,
        "currency": "EUR",
        "provider": "ogone",
        "merchant": MERCHANT,
        "provider_reference": payid,
        "order": f"B{number}-1",
    }
    return event(f"payment-{folio}", "payment.received", data)


def channel_payment(payid: str, minor: int) -> dict[str, Any]:
    """The channel's guest paid by card too; the PMS knows the stay by the channel's number."""
    data = {
        "actor": {"kind": "system", "id": "thais"},
        "references": [{"namespace": NAMESPACE, "value": RESERVATION}],
        "payment": "P-77",
        "tender": "card",
        "amount": minor,
        "currency": "EUR",
        "provider": "ogone",
        "merchant": MERCHANT,
        "provider_reference": payid,
        "order": "CAMP77-1",
    }
    return event("payment-channel", "payment.received", data)


def guest_asks(folio: str) -> dict[str, Any]:
    """What would cancelling give?"""
    data = {"actor": {"kind": "guest", "id": "camille"}, "folio": folio, "request": f"R-{folio}"}
    return event(f"quote-{folio}", "cancellation.request", data, "web.azur")


def guest_confirms(folio: str) -> dict[str, Any]:
    """Yes, cancel."""
    data = {"actor": {"kind": "guest", "id": "camille"}, "folio": folio, "request": f"R-{folio}"}
    return event(f"confirm-{folio}", "cancellation.confirm", data, "web.azur")


def one_line_cancelled(folio: str, line: str) -> dict[str, Any]:
    """One of two pitches is given up, quote and confirmation in one."""
    data = {
        "actor": {"kind": "guest", "id": "camille"},
        "folio": folio,
        "request": f"R-{folio}",
        "lines": [{"line": line}],
        "confirm": True,
    }
    return event(f"partial-{folio}", "cancellation.request", data, "web.azur")


def no_show(folio: str) -> dict[str, Any]:
    """The reception says that nobody came."""
    data = {
        "actor": {"kind": "merchant", "id": "reception"},
        "folio": folio,
        "request": f"R-{folio}",
        "cause": "no_show",
        "confirm": True,
    }
    return event(f"no-show-{folio}", "cancellation.request", data)


def stranger_cancels() -> dict[str, Any]:
    """A cancellation of a booking that nobody knows: refused at once."""
    data = {"actor": {"kind": "guest", "id": "camille"}, "folio": UNKNOWN, "request": f"R-{UNKNOWN}"}
    return event("cancel-unknown", "cancellation.request", data, "web.azur")


def reservation_xml(day: date, status: str, price: str, nights: int) -> bytes:
    """OTA_HotelResNotifRQ: `Commit` for a new reservation, `Modify` for a changed one."""
    arrival = day + timedelta(days=30)
    return f"""<OTA_HotelResNotifRQ xmlns="http://www.opentravel.org/OTA/2003/05" EchoToken="{status}" Version="1.0">
  <HotelReservations>
    <HotelReservation ResStatus="{status}">
      <UniqueID Type="14" ID="{RESERVATION}"/>
      <RoomStays>
        <RoomStay IndexNumber="1">
          <RoomTypes><RoomType RoomTypeCode="PITCH"/></RoomTypes>
          <TimeSpan Start="{arrival}" End="{arrival + timedelta(days=nights)}"/>
          <Total AmountAfterTax="{price}" CurrencyCode="EUR"/>
          <BasicPropertyInfo HotelCode="camp-azur"/>
        </RoomStay>
      </RoomStays>
    </HotelReservation>
  </HotelReservations>
</OTA_HotelResNotifRQ>
""".encode()


def cancel_xml(kind: str) -> bytes:
    """OTA_CancelRQ: `Quote`, then `Cancel`."""
    return f"""<OTA_CancelRQ xmlns="http://www.opentravel.org/OTA/2003/05" EchoToken="{kind}" Version="1.0" CancelType="{kind}">
  <UniqueID Type="14" ID="{RESERVATION}"/>
</OTA_CancelRQ>
""".encode()
