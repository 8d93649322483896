"""Names to structs and back, and what is said of bytes that do not fit."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import registry
from schemas.booking import Booking, BookingRefused
from schemas.common import Fact, Refused
from schemas.errors import Undecodable
from schemas.operations import ApprovalDecided, OperationRefused, PayoutsSwitched
from schemas.registry import IN, INTERNAL, OUT, decode_data, encode, fact_name, refusal_of

EXAMPLE = Path(__file__).parent.parent / "golden/messages/booking.confirmed.json"
ACTOR = b'"actor":{"kind":"guest","id":"g"}'
BOOKING = b"{" + ACTOR + b',"property":"p","currency":"EUR","lines":[{"line":"1","price":100}]%s}'


def test_no_name_is_in_two_tables() -> None:
    """A name means one thing."""
    assert not (IN.keys() & OUT.keys() | IN.keys() & INTERNAL.keys() | OUT.keys() & INTERNAL.keys())


@pytest.mark.parametrize("name", [*IN, *OUT, *INTERNAL])
def test_every_struct_can_be_decoded(name: str) -> None:
    """An empty object is missing fields or is a whole message; it is never a crash."""
    with suppress(Undecodable):
        assert isinstance(decode_data(name, b"{}"), msgspec.Struct)


def test_the_published_example() -> None:
    """The example of the public vocabulary, to the struct and back."""
    event = msgspec.json.decode(EXAMPLE.read_bytes())
    booking = decode_data("booking.confirmed", msgspec.json.encode(event["data"]))

    assert isinstance(booking, Booking)
    assert [line.line for line in booking.lines] == ["1", "2"]
    assert sum(line.price for line in booking.lines) == 20000
    assert booking.service_fee == 500
    assert booking == decode_data("booking.confirmed", encode(booking))


@pytest.mark.parametrize(
    ("data", "field", "value"),
    [
        pytest.param(BOOKING.replace(b"100", b"12.5") % b"", "lines[0].price", "12.5", id="an amount as a float"),
        pytest.param(BOOKING.replace(b"100", b"100.0") % b"", "lines[0].price", "100.0", id="also a round one"),
        pytest.param(BOOKING.replace(b"100", b'"100"') % b"", "lines[0].price", "100", id="an amount as text"),
        pytest.param(BOOKING.replace(b"100", b"-1") % b"", "lines[0].price", "-1", id="a negative amount"),
        pytest.param(BOOKING.replace(b"EUR", b"euro") % b"", "currency", "euro", id="a currency in words"),
        pytest.param(BOOKING % b',"channel":"fax"', "channel", "fax", id="an unknown member of an enumeration"),
        pytest.param(BOOKING % b',"booked_at":"2026-05-01T10:00:00"', "booked_at", "2026-05-01T10:00:00", id="no offset"),
        pytest.param(
            BOOKING.replace(b'"price"', b'"arrival":"2026-02-30","price"') % b"", "lines[0].arrival", "2026-02-30", id="no such day"
        ),
        pytest.param(b"{" + ACTOR + b"}", "property", "", id="a field that is missing"),
        pytest.param(BOOKING % b',"references":[{"namespace":"a"}]', "references[0].value", "", id="missing further in"),
        pytest.param(BOOKING.replace(b'"1"', b'"%s"' % (b"x" * 65)) % b"", "lines[0].line", "x" * 65, id="too long"),
        pytest.param(b"[]", "data", "", id="no object"),
        pytest.param(b"", "data", "", id="nothing"),
        pytest.param(b"{", "data", "", id="cut short"),
        pytest.param(BOOKING % b',"language":"\xff"', "data", "", id="not UTF-8"),
        pytest.param(b'{"x":' + b"[" * 100_000, "data", "", id="too deep"),
    ],
)
def test_undecodable_names_field_and_value(data: bytes, field: str, value: str) -> None:
    """The sender learns where and what."""
    with pytest.raises(Undecodable) as caught:
        decode_data("booking.confirmed", data)

    assert (field, value) == (caught.value.field, caught.value.value)
    assert field in caught.value.message or field == "data"


@pytest.mark.parametrize("name", ["booking.exploded", "", "credit.check"])
def test_unknown_type(name: str) -> None:
    """Not a message that we know."""
    with pytest.raises(Undecodable) as caught:
        decode_data(name, b"{}")

    assert ("type", name) == (caught.value.field, caught.value.value)


def test_x_11_personal_values_are_not_shown() -> None:
    """The name of a guest does not get into an error."""
    for wrong in (b'{"name":["Ada Lovelace"]}', b'{"name":4711}', b'"Ada 4711"'):
        with pytest.raises(Undecodable) as caught:
            decode_data("booking.confirmed", BOOKING % b',"guest":%s' % wrong)
        assert "guest" in caught.value.field
        assert not {"Ada", "4711"} & set(f"{caught.value.message} {caught.value.value}".replace('"', " ").split())


def test_x_10_card_numbers_are_not_shown() -> None:
    """Nor a card number in a field that is wrong."""
    with pytest.raises(Undecodable) as caught:
        decode_data("booking.confirmed", BOOKING % b',"channel":"4111 1111 1111 1111"')

    assert "1111" not in f"{caught.value.message} {caught.value.value}"


@pytest.mark.parametrize(
    ("first", "last", "ok"),
    [
        ("2026-07-24", "2026-07-26", True),
        ("2026-07-24T10:00:00+02:00", "2026-07-26", True),
        ("2026-07-24T10:00:00", "2026-07-26", False),
        ("2026-02-30", "2026-07-26", False),
        ("tomorrow", "2026-07-26", False),
    ],
)
def test_s4_36_an_event_lasts_between_days_or_instants(first: str, last: str, ok: bool) -> None:
    """Both are read; what is neither is undecodable."""
    data = b"{" + ACTOR + b',"event":"e","area":"a","from":"%s","to":"%s"}' % (first.encode(), last.encode())
    if not ok:
        with pytest.raises(Undecodable, match="neither a day"):
            decode_data("force_majeure.declare", data)
        return
    declared = decode_data("force_majeure.declare", data)

    assert declared.begins().isoformat() == first
    assert declared.ends().isoformat() == last
    assert b'"from"' in encode(declared)


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ("booked_at", "1970-12-31T23:59:59Z", False),
        ("booked_at", "1971-01-01T00:00:00+14:00", True),
        ("booked_at", "2199-12-31T23:59:59.999999-12:00", True),
        ("booked_at", "2200-01-01T00:00:00Z", False),
        ("booked_at", "0001-01-01T00:00:00+02:00", False),
        ("requested_at", "9999-12-31T23:59:59Z", False),
        ("lines[0].arrival", "0001-01-01", False),
        ("lines[0].arrival", "1970-12-31", False),
        ("lines[0].arrival", "1971-01-01", True),
        ("lines[0].departure", "2199-12-31", True),
        ("lines[0].departure", "2200-01-01", False),
    ],
)
def test_days_and_instants_have_bounds(field: str, value: str, taken: bool) -> None:
    """The first and the last dates of a sender's calendar are no dates of a stay; they are refused by name, with what is taken."""
    said = b'"%s":"%s"' % (field.rpartition(".")[2].encode(), value.encode())
    data = BOOKING.replace(b'"price"', said + b',"price"') % b"" if "." in field else BOOKING % (b"," + said)
    if taken:
        assert registry.read_data("booking.confirmed", data) == decode_data("booking.confirmed", data)
        return
    with pytest.raises(Undecodable, match="is not from 1971-01-01 to 2199-12-31") as caught:
        registry.read_data("booking.confirmed", data)

    assert (field, value) == (caught.value.field, caught.value.value)


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        (
            "cancellation.request",
            b'"request":"R","lines":["1",{"line":"2","new_departure":"9999-12-31"}]',
            "lines[1].new_departure",
        ),
        ("payment.received", b'"payment":"P","amount":1,"currency":"EUR","occurred_at":"0001-01-01T00:00:00Z"', "occurred_at"),
        ("force_majeure.declare", b'"event":"e","area":"a","from":"0001-01-01","to":"2026-07-26"', "from"),
        ("force_majeure.declare", b'"event":"e","area":"a","from":"2026-07-24","to":"9999-12-31T23:59:59Z"', "to"),
    ],
)
def test_every_message_is_bounded(name: str, data: bytes, field: str) -> None:
    """Also in a list of lines and names of lines, and where a day or an instant may stand."""
    with pytest.raises(Undecodable) as caught:
        registry.read_data(name, b"{" + ACTOR + b"," + data + b"}")

    assert field == caught.value.field


@given(st.binary(max_size=200), st.sampled_from([*IN, *OUT, *INTERNAL]))
def test_any_bytes_are_a_message_or_undecodable(data: bytes, name: str) -> None:
    """Nothing else is raised, whatever comes."""
    with suppress(Undecodable):
        assert isinstance(decode_data(name, data), msgspec.Struct)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["actor", "lines", "guest", "price", "name"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(json_values)
def test_any_json_is_a_message_or_undecodable(value: object) -> None:
    """Nor for JSON of any shape."""
    with suppress(Undecodable):
        assert isinstance(decode_data("booking.confirmed", msgspec.json.encode(value)), Booking)


@pytest.mark.parametrize("name", IN)
def test_every_family_of_inputs_can_be_refused(name: str) -> None:
    """A rule that says no has an outcome to say it with."""
    refused, kind = refusal_of(name)

    assert refused == f"{name.partition('.')[0]}.refused"
    assert issubclass(kind, Refused)
    assert refused == fact_name(kind, name)


def test_names_of_facts() -> None:
    """A struct that serves several names is told apart by its cause."""
    assert fact_name(BookingRefused) == "booking.refused"
    assert fact_name(ApprovalDecided, "approval.grant") == "approval.granted"
    assert fact_name(ApprovalDecided, "approval.deny") == "approval.denied"
    assert fact_name(PayoutsSwitched, "payouts.stop") == "payouts.stopped"
    assert fact_name(PayoutsSwitched, "payouts.start") == "payouts.started"
    assert fact_name(OperationRefused, "dead_letter.replay") == "dead_letter.refused"
    with pytest.raises(KeyError):
        fact_name(ApprovalDecided, "payouts.stop")
    with pytest.raises(KeyError):
        fact_name(Fact)


def test_every_outcome_can_be_reached() -> None:
    """Each name in OUT is the name of its struct under some cause."""
    reached = {fact_name(kind, cause) for kind in OUT.values() for cause in ("", *IN) if _possible(kind, cause)}
    assert set(OUT) == reached


def _possible(kind: type[Fact], cause: str) -> bool:
    try:
        fact_name(kind, cause)
    except KeyError:
        return False
    return True


def test_encoding_is_stable() -> None:
    """The same value, the same bytes; fields in their order."""
    data = registry.encode(decode_data("booking.confirmed", BOOKING % b',"vendor":1'))
    assert data == registry.encode(decode_data("booking.confirmed", data))
    assert data.startswith(BOOKING.partition(b"%s")[0])
