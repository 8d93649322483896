"""Single rules of reading: what each profile knob does, what is refused and how it is named."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from connectors.channels.ota.codec import decode
from schemas.booking import Booking
from schemas.cancellation import CancellationRequest
from schemas.errors import HubError, Rejected, Undecodable
from tests.connectors.channels.ota.golden import PROFILE, profile

NS = 'xmlns="http://www.opentravel.org/OTA/2003/05"'
SPAN = '<TimeSpan Start="2026-07-24" End="2026-07-31"/>'
TOTAL = '<Total AmountAfterTax="100.00" CurrencyCode="EUR"/>'
ROOM = f"<RoomStay>{SPAN}{TOTAL}</RoomStay>"
UNIQUE = '<UniqueID Type="14" ID="X1"/>'


def notif(rooms: str = ROOM, *, status: str = 'ResStatus="Commit"', root: str = "", unique: str = UNIQUE, rest: str = "") -> bytes:
    inside = f"<RoomStays>{rooms}</RoomStays>" if rooms else ""
    reservation = f"<HotelReservation {status}>{unique}{inside}{rest}</HotelReservation>"
    return f"<OTA_HotelResNotifRQ {NS} {root}><HotelReservations>{reservation}</HotelReservations></OTA_HotelResNotifRQ>".encode()


def cancel(kind: str = "Cancel", root: str = "", unique: str = UNIQUE, rest: str = "") -> bytes:
    return f'<OTA_CancelRQ {NS} CancelType="{kind}" {root}>{unique}{rest}</OTA_CancelRQ>'.encode()


def booking(data: bytes, **knobs: Any) -> Booking:
    message = decode(data, profile(**knobs)).items[0].message
    assert isinstance(message, Booking)
    return message


def request(data: bytes, **knobs: Any) -> CancellationRequest:
    message = decode(data, profile(**knobs)).items[0].message
    assert isinstance(message, CancellationRequest)
    return message


def refusal(data: bytes, **knobs: Any) -> HubError:
    with pytest.raises((Undecodable, Rejected)) as refused:
        decode(data, profile(**knobs))
    return refused.value


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Commit", "booking.confirmed"), ("Book", "booking.confirmed"), ("Reserved", "booking.confirmed"), ("Modify", "booking.changed"),
        ("Requested", "booking.requested"), ("Hold", "booking.requested"), ("Cancel", "cancellation.request"),
        ("Cancelled", "cancellation.request"), ("CANCEL", "cancellation.request"),
    ],
)  # fmt: skip
def test_res_status(written: str, name: str) -> None:
    """ResStatus says what it is; on the document it counts for all its reservations."""
    for data in (notif(status=f'ResStatus="{written}"'), notif(status="", root=f'ResStatus="{written}"')):
        assert decode(data, PROFILE).items[0].name == name


@pytest.mark.parametrize(
    "written", ["Ignore", "Quote", "Initiate", "No-show", "In-house", "Checked out", "Request denied", "Waitlisted", "S"]
)
def test_res_status_that_is_not_served(written: str) -> None:
    """What has no meaning here is refused by name, never taken for something near."""
    problem = refusal(notif(status=f'ResStatus="{written}"'))

    assert isinstance(problem, Rejected)
    assert (problem.code, problem.field, problem.value) == ("action_not_supported", "HotelReservation[1]/@ResStatus", written)


@pytest.mark.parametrize(
    ("written", "confirm"), [("Quote", False), ("Initiate", False), ("Cancel", True), ("Commit", True), ("commit", True)]
)
def test_s4_31_cancel_type(written: str, confirm: bool) -> None:
    """S4-31: Quote asks; Cancel and Commit are quote and confirmation in one, the guest acting through the channel."""
    item = decode(cancel(written), PROFILE).items[0]
    message = request(cancel(written))

    assert (message.confirm, item.is_quote) == (confirm, not confirm)
    assert (message.actor.kind, message.actor.id, message.cause) == ("channel", "demo", "guest")
    assert (message.folio, message.references[0].namespace, message.references[0].value) == ("", "ota:demo", "X1")
    assert message.request == item.id


def test_cancel_type_must_be_said() -> None:
    """Nothing is cancelled by default."""
    data = f"<OTA_CancelRQ {NS}>{UNIQUE}</OTA_CancelRQ>".encode()

    assert refusal(data).code == "action_missing"
    assert refusal(cancel("Ignore")).code == "action_not_supported"


@pytest.mark.parametrize(
    ("unique", "reference"),
    [
        pytest.param(
            '<UniqueID Type="10" ID="H"/><UniqueID Type="16" ID="R"/><UniqueID Type="14" ID="B"/>', "B", id="reservation first"
        ),
        pytest.param(
            '<UniqueID Type="10" ID="H"/><UniqueID Type="40" ID="C"/><UniqueID Type="16" ID="R"/>', "R", id="then reference"
        ),
        pytest.param('<UniqueID Type="10" ID="H"/><UniqueID Type="40" ID="C"/>', "C", id="then confirmation number"),
        pytest.param('<UniqueID Type="10" ID=" H "/>', "H", id="then hotel's"),
        pytest.param('<UniqueID ID="N"/>', "N", id="then untyped"),
        pytest.param(
            '<UniqueID Type="16" ID="m" ID_Context="MESSAGE_UNIQUE_ID"/><UniqueID Type="99" ID="B"/>', "B", id="never the message's"
        ),
    ],
)
def test_reference(unique: str, reference: str) -> None:
    """One name of the booking is chosen, always the same one."""
    assert booking(notif(unique=unique)).references[0].value == reference


def test_reference_falls_back_to_hotel_reservation_ids() -> None:
    """Without UniqueID, HotelReservationIDs by the same preference; with one, they are not asked."""
    ids = '<HotelReservationID ResID_Type="13" ResID_Value="W"/><HotelReservationID ResID_Type="14" ResID_Value="B"/>'
    info = f"<ResGlobalInfo><HotelReservationIDs>{ids}</HotelReservationIDs></ResGlobalInfo>"

    assert booking(notif(unique="", rest=info)).references[0].value == "B"
    assert booking(notif(rest=info)).references[0].value == "X1"


def test_a_cancellation_may_name_the_booking_by_type_15() -> None:
    """Where it stands alone."""
    assert request(cancel(unique='<UniqueID Type="15" ID="B"/>')).references[0].value == "B"
    assert request(cancel(unique='<UniqueID Type="15" ID="C"/><UniqueID Type="14" ID="B"/>')).references[0].value == "B"


@pytest.mark.parametrize(
    ("total", "reading", "minor"),
    [
        pytest.param('AmountAfterTax="8500" DecimalPlaces="2" CurrencyCode="EUR"', "schema", 8500, id="shifted by the schema"),
        pytest.param('AmountAfterTax="8500" DecimalPlaces="2" CurrencyCode="EUR"', "major", 850_000, id="the sender disagrees"),
        pytest.param('AmountAfterTax="85.00" DecimalPlaces="2" CurrencyCode="EUR"', "schema", 8500, id="a written point counts"),
        pytest.param('AmountAfterTax="5" DecimalPlaces="2" CurrencyCode="EUR"', "schema", 5, id="five cents"),
        pytest.param('AmountAfterTax="8500" CurrencyCode="JPY"', "schema", 8500, id="yen have no decimals"),
        pytest.param('AmountAfterTax="850000" DecimalPlaces="2" CurrencyCode="JPY"', "schema", 8500, id="yen in hundredths"),
        pytest.param('AmountAfterTax="12345" DecimalPlaces="3" CurrencyCode="KWD"', "schema", 12_345, id="dinars have three"),
        pytest.param('AmountAfterTax="1,00" CurrencyCode="EUR"', "comma", 100, id="decimal comma"),
        pytest.param('AmountAfterTax="12" DecimalPlaces="2" CurrencyCode="EUR"', "comma", 1200, id="whole with comma reading"),
        pytest.param('AmountAfterTax="0" CurrencyCode="EUR"', "schema", 0, id="free"),
        pytest.param('AmountBeforeTax="80.00" CurrencyCode="EUR"', "schema", 8000, id="before tax if nothing else"),
        pytest.param('AmountBeforeTax="80.00" AmountAfterTax="88.00" CurrencyCode="EUR"', "schema", 8800, id="after tax wins"),
        pytest.param('Amount="12.50" CurrencyCode="EUR"', "schema", 1250, id="the vendors' Amount"),
    ],
)
def test_amount_reading(total: str, reading: str, minor: int) -> None:
    """The DecimalPlaces trap is the profile's to decide; exact, never a float."""
    assert booking(notif(f"<RoomStay>{SPAN}<Total {total}/></RoomStay>"), amount_reading=reading).lines[0].price == minor


@pytest.mark.parametrize(
    ("total", "code", "field"),
    [
        pytest.param(
            'AmountAfterTax="1,00" CurrencyCode="EUR"', "amount_invalid", "@AmountAfterTax", id="comma where none is agreed"
        ),
        pytest.param('AmountAfterTax="1e2" CurrencyCode="EUR"', "amount_invalid", "@AmountAfterTax", id="a float"),
        pytest.param('AmountAfterTax="10.005" CurrencyCode="EUR"', "amount_invalid", "@AmountAfterTax", id="too many decimals"),
        pytest.param('AmountAfterTax="8500.5" CurrencyCode="JPY"', "amount_invalid", "@AmountAfterTax", id="half a yen"),
        pytest.param(
            'AmountAfterTax="10" DecimalPlaces="x" CurrencyCode="EUR"', "amount_invalid", "@AmountAfterTax", id="odd places"
        ),
        pytest.param('AmountAfterTax="-1.00" CurrencyCode="EUR"', "amount_negative", "@AmountAfterTax", id="negative"),
        pytest.param(
            'AmountBeforeTax="1" CurrencyCode="EUR"><Taxes Amount="-1"/></Total',
            "amount_negative",
            "Taxes/@Amount",
            id="negative tax",
        ),
        pytest.param('AmountAfterTax="10"', "currency_missing", "@CurrencyCode", id="no currency"),
        pytest.param('AmountAfterTax="10" CurrencyCode="EURO"', "currency_unknown", "@CurrencyCode", id="no such currency"),
        pytest.param('CurrencyCode="EUR"', "price_missing", "Total", id="no amount"),
    ],
)
def test_amounts_that_are_refused(total: str, code: str, field: str) -> None:
    """Each names its attribute."""
    element = f"<Total {total}>" if "</Total" in total else f"<Total {total}/>"
    problem = refusal(notif(f"<RoomStay>{SPAN}{element}</RoomStay>"))

    assert problem.code == code
    assert problem.field.startswith("HotelReservation[1]/RoomStays/RoomStay[1]/Total")
    assert problem.field.endswith(field)


def test_currency_of_the_profile_and_of_the_total() -> None:
    """An amount without currency takes the reservation's, then the channel's."""
    bare = f'<RoomStay>{SPAN}<Total AmountAfterTax="10"/></RoomStay>'
    info = '<ResGlobalInfo><Total AmountAfterTax="10" CurrencyCode="CHF"/></ResGlobalInfo>'

    assert booking(notif(bare), currency="EUR").currency == "EUR"
    assert booking(notif(bare, rest=info), currency="EUR").currency == "CHF"


@pytest.mark.parametrize(
    ("rooms", "total", "prices", "adjusted"),
    [
        pytest.param(("33.33", "33.33", "33.33"), "100.00", [3334, 3333, 3333], True, id="a cent up"),
        pytest.param(("33.34", "33.34", "33.34"), "100.00", [3332, 3334, 3334], True, id="two cents down"),
        pytest.param(("50.00", "50.00"), "100.00", [5000, 5000], False, id="they agree"),
        pytest.param(("10.00", "20.00"), "30.03", None, False, id="three cents on two rooms are no rounding"),
        pytest.param(("10.00", "20.00"), "45.00", None, False, id="something is missing"),
        pytest.param(("60.00", None), "100.00", [6000, 4000], False, id="the total prices the only room without"),
        pytest.param(("60.00", None, None), "100.00", None, False, id="two without price"),
        pytest.param(("160.00", None), "100.00", None, False, id="nothing is left for it"),
        pytest.param((None,), "100.00", [10_000], False, id="one room, priced by the total"),
    ],
)
def test_rooms_against_total(rooms: tuple[str | None, ...], total: str, prices: list[int] | None, adjusted: bool) -> None:
    """The total is what the guest was shown: rounding goes into the first line, anything more is refused."""
    stays = "".join(
        f"<RoomStay>{SPAN}" + (f'<Total AmountAfterTax="{room}" CurrencyCode="EUR"/>' if room else "") + "</RoomStay>"
        for room in rooms
    )
    data = notif(stays, rest=f'<ResGlobalInfo><Total AmountAfterTax="{total}" CurrencyCode="EUR"/></ResGlobalInfo>')
    if prices is None:
        assert refusal(data).code in ("total_mismatch", "price_missing")
        return

    item = decode(data, PROFILE).items[0]
    assert isinstance(item.message, Booking)
    assert [line.price for line in item.message.lines] == prices
    assert [warned.code for warned in item.warnings] == (["total_adjusted"] if adjusted else [])


def test_nightly_rates_are_not_added_up() -> None:
    """A rate does not say how often it counts; the totals of all RoomRates do."""
    nightly = (
        '<RoomRates><RoomRate><Rates><Rate><Base AmountAfterTax="20" CurrencyCode="EUR"/></Rate></Rates></RoomRate></RoomRates>'
    )
    rates = "".join(f'<RoomRate><Total AmountAfterTax="{amount}" CurrencyCode="EUR"/></RoomRate>' for amount in (20, 30))
    totals = f"<RoomRates>{rates}</RoomRates>"

    assert refusal(notif(f"<RoomStay>{SPAN}{nightly}</RoomStay>")).code == "price_missing"
    assert booking(notif(f"<RoomStay>{SPAN}{totals}</RoomStay>")).lines[0].price == 5000


@pytest.mark.parametrize(
    ("written", "arrival", "departure"),
    [
        ('Start="2026-07-24" End="2026-07-31"', date(2026, 7, 24), date(2026, 7, 31)),
        ('Start="2014-09-01 0:00:00" End="2014-09-03 0:00:00"', date(2014, 9, 1), date(2014, 9, 3)),
        ('Start="2026-07-24T23:30:00-11:00" End="2026-07-31T01:00:00+14:00"', date(2026, 7, 24), date(2026, 7, 31)),
        ('Start="2026-02-27" Duration="P2N"', date(2026, 2, 27), date(2026, 3, 1)),
        ('Start="2026-07-24" End="2026-07-24"', date(2026, 7, 24), date(2026, 7, 24)),
    ],
)
def test_dates(written: str, arrival: date, departure: date) -> None:
    """The day as written is the day at the property: no zone moves it."""
    line = booking(notif(f"<RoomStay><TimeSpan {written}/>{TOTAL}</RoomStay>")).lines[0]

    assert (line.arrival, line.departure) == (arrival, departure)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ('Start="2026-02-30" End="2026-03-02"', "date_invalid"),
        ('Start="24.07.2026" End="31.07.2026"', "date_invalid"),
        ('Start="2026-07-24"', "date_missing"),
        ('End="2026-07-24"', "date_missing"),
        ('Start="2026-07-24" End="2026-07-23"', "dates_reversed"),
        ('Start="0000-01-01" End="2026-07-23"', "date_invalid"),
        ('Start="9999-12-31" Duration="P999N"', "date_invalid"),
        ('Start="2199-12-31" Duration="P1N"', "date_invalid"),
        ('Start="0001-01-01" End="2026-07-23"', "date_invalid"),
        ('Start="2026-07-24" End="9999-12-31T00:00:00"', "date_invalid"),
    ],
)
def test_dates_that_are_refused(written: str, code: str) -> None:
    """Days that do not exist, or in the wrong order."""
    problem = refusal(notif(f"<RoomStay><TimeSpan {written}/>{TOTAL}</RoomStay>"))

    assert problem.code == code
    assert problem.field.startswith("HotelReservation[1]/RoomStays/RoomStay[1]/TimeSpan/@")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01T10:00:00+0200", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01 10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2017-10-01T12:23:26+2", datetime(2017, 10, 1, 10, 23, 26, tzinfo=UTC)),
        ("2009-03-17T18:30:47.0Z", datetime(2009, 3, 17, 18, 30, 47, tzinfo=UTC)),
        ("2022-07-29 12:15:08", None),
        ("2026-05-01", None),
        ("", None),
    ],
)
def test_time_stamp(written: str, moment: datetime | None) -> None:
    """X-16: an instant is told on; a time without zone is none."""
    assert request(cancel(root=f'TimeStamp="{written}"')).requested_at == moment


def test_unreadable_time_stamp_matters_only_where_it_is_trusted() -> None:
    """X-16."""
    data = cancel(root='TimeStamp="2026-02-30T10:00:00Z"')

    assert request(data).requested_at is None
    assert refusal(data, trust_time=True).code == "date_invalid"


def test_property_by_hotel_code() -> None:
    """The table where there is one, the default where no code or no table is; an unknown code is named."""
    coded = notif(f'<RoomStay>{SPAN}{TOTAL}<BasicPropertyInfo HotelCode="H9"/></RoomStay>')
    problem = refusal(coded, properties={"H1": "other"})

    assert booking(coded, properties={"H9": "camp-9"}).property == "camp-9"
    assert booking(coded).property == "camp-azur"
    assert booking(notif(), properties={"H1": "other"}).property == "camp-azur"
    assert isinstance(problem, Rejected)
    assert (problem.code, problem.value, problem.field) == (
        "unknown_property", "H9", "HotelReservation[1]/RoomStays/RoomStay[1]/BasicPropertyInfo/@HotelCode",
    )  # fmt: skip
    assert refusal(notif(), default_property="").code == "unknown_property"


def test_one_reservation_one_hotel() -> None:
    """Two hotels in one reservation are nobody's booking."""
    rooms = "".join(f'<RoomStay>{SPAN}{TOTAL}<BasicPropertyInfo HotelCode="{code}"/></RoomStay>' for code in ("H1", "H2"))

    assert refusal(notif(rooms)).code == "property_mixed"


def test_terms_by_rate_plan() -> None:
    """By code, else the channel's default, else refused by name."""
    coded = notif(f'<RoomStay><RatePlans><RatePlan RatePlanCode="NANR"/></RatePlans>{SPAN}{TOTAL}</RoomStay>')

    assert booking(coded).lines[0].terms == "outdoor/nanr"
    assert booking(coded, terms={}).lines[0].terms == "outdoor/flexible"
    assert (refusal(coded, terms={}, default_terms="").code, refusal(coded, terms={}, default_terms="").value) == (
        "unknown_terms",
        "NANR",
    )


def test_line_ids() -> None:
    """IndexNumber, else RPH, else position; a name that two rooms share is none."""

    def ids(rooms: str) -> list[str]:
        return [line.line for line in booking(notif(rooms)).lines]

    assert ids(
        ROOM.replace("<RoomStay>", '<RoomStay IndexNumber="7" RPH="1">') + ROOM.replace("<RoomStay>", '<RoomStay IndexNumber="9">')
    ) == ["7", "9"]
    assert ids(
        ROOM.replace("<RoomStay>", '<RoomStay IndexNumber="7" RPH="4">') + ROOM.replace("<RoomStay>", '<RoomStay RPH="5">')
    ) == ["4", "5"]
    assert ids(ROOM.replace("<RoomStay>", '<RoomStay RPH="4">') * 2) == ["1", "2"]


def test_s4_37_segments_name_the_rooms_to_cancel() -> None:
    """S4-37: one, several, or a range; none means all."""
    chosen = request(cancel(rest='<Segment ItinSegNbr="12"/><Segment FirstItinSegNbr="2" LastItinSegNbr="4"/>'))

    assert [getattr(line, "line", line) for line in chosen.lines] == ["12", "2", "3", "4"]
    assert request(cancel()).lines == ()
    assert refusal(cancel(rest='<Segment ItinSegNbr="x"/>')).code == "value_invalid"
    assert refusal(cancel(rest='<Segment FirstItinSegNbr="4" LastItinSegNbr="2"/>')).code == "value_invalid"
    assert refusal(cancel(rest='<Segment FirstItinSegNbr="1" LastItinSegNbr="999999"/>')).code == "value_invalid"


def test_a_cancelled_room_is_no_part_of_the_new_state() -> None:
    """A modification carries the whole new state: what it marks as cancelled cannot come back to life by it."""
    rooms = ROOM.replace("<RoomStay>", '<RoomStay IndexNumber="1" RoomStayStatus="Cancelled">') + ROOM.replace(
        "<RoomStay>", '<RoomStay IndexNumber="2">'
    )

    assert [line.line for line in booking(notif(rooms, status='ResStatus="Modify"')).lines] == ["2"]
    assert refusal(notif(ROOM.replace("<RoomStay>", '<RoomStay RoomStayStatus="Cancelled">'))).code == "field_missing"


@pytest.mark.parametrize(
    ("card", "token", "names"),
    [
        pytest.param('<PaymentCard CardCode="VI"/>', "", [], id="a brand alone is no guarantee"),
        pytest.param(
            '<PaymentCard CardNumber="4111111111111111" SeriesCode="123" ExpireDate="1229"/>',
            "",
            ["@CardNumber", "@SeriesCode", "@ExpireDate"],
            id="attributes",
        ),
        pytest.param(
            "<PaymentCard><CardNumber><PlainText>4111111111111111</PlainText></CardNumber></PaymentCard>",
            "",
            ["/CardNumber"],
            id="elements",
        ),
        pytest.param('<PaymentCard><CardNumber Token="tok1"/></PaymentCard>', "tok1", [], id="a proxy's token"),
        pytest.param(
            '<PaymentCard><CardNumber Token="tok1" Mask="411111xxxxxx1111"/></PaymentCard>',
            "tok1",
            ["/CardNumber"],
            id="token beside a mask",
        ),
        pytest.param(
            '<PaymentCard><CardNumber Token="4111111111111111"/></PaymentCard>', "", ["@Token"], id="a number that plays token"
        ),
        pytest.param(
            '<PaymentCard><CardNumber EncryptedValue="AAAA"/></PaymentCard>', "", ["/CardNumber"], id="an encrypted card is a card"
        ),
        pytest.param('<x:PaymentCard xmlns:x="urn:v" Token="tok2"/>', "tok2", [], id="a vendor's card"),
    ],
)
def test_x_22_guarantee(card: str, token: str, names: list[str]) -> None:
    """X-22: scrubbed and told by name, never by value; a token is taken in its place."""
    data = notif(f"<RoomStay>{SPAN}<Guarantee>{card}</Guarantee>{TOTAL}</RoomStay>")
    item = decode(data, PROFILE).items[0]

    assert booking(data).payment_token == token
    assert all(name in "".join(warned.message for warned in item.warnings) for name in names)
    assert [warned.code for warned in item.warnings] == (["guarantee_scrubbed"] if names else [])
    assert not any(secret in str(item) for secret in ("4111", "123'", "1229", "AAAA", "xxxxxx"))


def test_card_number_in_a_name() -> None:
    """X-10: free text is searched too."""
    name = "<PersonName><Surname>Doe 4111 1111 1111 1111</Surname></PersonName>"
    profiles = f"<Profiles><ProfileInfo><Profile><Customer>{name}</Customer></Profile></ProfileInfo></Profiles>"
    item = decode(notif(rest=f"<ResGuests><ResGuest>{profiles}</ResGuest></ResGuests>"), PROFILE).items[0]

    assert isinstance(item.message, Booking)
    assert item.message.guest.name == "Doe [card removed]"
    assert [warned.code for warned in item.warnings] == ["card_removed"]


def test_revision_rises_with_the_channels_own_last_change() -> None:
    """X-2: LastModifyDateTime orders what comes disordered; without zone it orders nothing."""
    revisions = [
        booking(notif(status=f'ResStatus="Modify" LastModifyDateTime="{moment}"')).revision
        for moment in ("2026-05-01T12:00:00+02:00", "2026-05-01T10:00:01Z", "2026-05-01T10:00:01")
    ]

    assert revisions == [1_777_629_600_000_000, 1_777_629_601_000_000, None]


@pytest.mark.parametrize("status", ["Commit", "Requested", "Modify"])
def test_when_it_was_made_is_no_revision(status: str) -> None:
    """X-2: CreateDateTime is the same in every version; as a revision it would make each change stale."""
    made = 'CreateDateTime="2026-05-01T10:00:00Z"'
    without = booking(notif(status=f'ResStatus="{status}" {made}'))
    beside = booking(notif(status=f'ResStatus="{status}" {made} LastModifyDateTime="2026-05-01T10:00:01Z"'))

    assert without.booked_at is not None
    assert (without.revision, beside.revision) == (None, 1_777_629_601_000_000)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(notif(unique=""), "reference_missing", id="no name of the booking"),
        pytest.param(notif(unique=f'<UniqueID Type="14" ID="{"x" * 65}"/>'), "value_invalid", id="a name too long"),
        pytest.param(notif(rooms=""), "field_missing", id="no room"),
        pytest.param(notif(status=""), "action_missing", id="no status"),
        pytest.param(f"<OTA_HotelResNotifRQ {NS}/>".encode(), "field_missing", id="no reservation"),
        pytest.param(f"<OTA_HotelAvailNotifRQ {NS}/>".encode(), "message_unknown", id="not a reservation's document"),
        pytest.param(b'<OTA_HotelResNotifRQ xmlns="http://www.opentravel.org/OTA"/>', "namespace_unknown", id="the old namespace"),
        pytest.param(b"<OTA_CancelRQ/>", "namespace_unknown", id="no namespace"),
        pytest.param(notif(ROOM * 501), "value_invalid", id="too many rooms"),
        pytest.param(notif(ROOM.replace("100.00", "99999999999999")), "value_invalid", id="more than all the money"),
    ],
)
def test_other_refusals(data: bytes, code: str) -> None:
    """Each has its own word, but for what only the message's own bounds refuse."""
    problem = refusal(data)

    assert problem.code == code or (code == "value_invalid" and isinstance(problem, Undecodable) and problem.code == "undecodable")
    assert problem.field


def test_too_many_reservations() -> None:
    """A hundred at once."""
    one = f'<HotelReservation ResStatus="Cancel">{UNIQUE}</HotelReservation>'
    data = f"<OTA_HotelResNotifRQ {NS}><HotelReservations>{one * 101}</HotelReservations></OTA_HotelResNotifRQ>".encode()

    assert refusal(data).code == "too_many_reservations"


@pytest.mark.parametrize("knob", ["amount_reading", "identity", "payment_plan", "collected_by"])
def test_profile_with_a_word_that_does_not_exist(knob: str) -> None:
    """A mistake of ours is said to be one."""
    problem = refusal(notif(), **{knob: "guess"})

    assert (problem.code, problem.field, problem.value) == ("profile_invalid", knob, "guess")


@pytest.mark.parametrize(
    ("marked", "lines"),
    [
        pytest.param((False, True), ["2"], id="one"),
        pytest.param((True, True), [], id="all"),
        pytest.param((False, False), [], id="none"),
    ],
)
def test_s4_37_rooms_marked_in_a_cancellation(marked: tuple[bool, ...], lines: list[str]) -> None:
    """S4-37: some rooms marked are the ones to cancel; all or none marked is the whole booking, which later lines belong to as well."""
    rooms = "".join(ROOM.replace("<RoomStay>", '<RoomStay RoomStayStatus="Cancel">') if mark else ROOM for mark in marked)

    assert [getattr(line, "line", line) for line in request(notif(rooms, status='ResStatus="Cancel"')).lines] == lines
