"""Hostile and broken bytes: each is refused with its code, quickly, and nothing of it is believed."""

from __future__ import annotations

import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.channels.ota.answer import refuse
from connectors.channels.ota.codec import decode
from connectors.channels.ota.codes import TABLE
from connectors.channels.ota.xml import parse, shown
from schemas.cards import scrub_text
from schemas.errors import Rejected, Undecodable
from tests.connectors.channels.ota.golden import PROFILE, body, profile

NS = 'xmlns="http://www.opentravel.org/OTA/2003/05"'
CANCEL = f'<OTA_CancelRQ {NS} CancelType="Cancel"><UniqueID Type="14" ID="X1"/></OTA_CancelRQ>'
DOCTYPE = '<!DOCTYPE x [<!ENTITY e "9">]>'
BOMB = (
    '<!DOCTYPE b [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + f']><OTA_CancelRQ {NS} CancelType="&a9;"/>'
)


def booking(total: str = "100.00", name: str = "A", attributes: str = "", declaration: str = "") -> str:
    return (
        f'{declaration}<OTA_HotelResNotifRQ {NS} ResStatus="Commit"><HotelReservations><HotelReservation>'
        f'<UniqueID Type="14" ID="X1"/><RoomStays><RoomStay {attributes}><TimeSpan Start="2026-07-24" End="2026-07-31"/>'
        f'<Total AmountAfterTax="{total}" CurrencyCode="EUR"/></RoomStay></RoomStays>'
        f"<ResGuests><ResGuest><Profiles><ProfileInfo><Profile><Customer><PersonName><Surname>{name}</Surname></PersonName></Customer>"
        "</Profile></ProfileInfo></Profiles></ResGuest></ResGuests></HotelReservation></HotelReservations></OTA_HotelResNotifRQ>"
    )


def guest_name(data: bytes) -> str:
    message = decode(data, PROFILE).items[0].message
    return message.guest.name  # type: ignore[union-attr]  # these are bookings


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "empty_body", id="nothing"),
        pytest.param((DOCTYPE + CANCEL).encode(), "doctype_refused", id="doctype"),
        pytest.param(b"\xef\xbb\xbf" + (DOCTYPE + CANCEL).encode(), "doctype_refused", id="doctype behind a mark"),
        pytest.param((DOCTYPE + CANCEL).encode("utf-16"), "encoding_refused", id="doctype in UTF-16"),
        pytest.param(
            ("<?xml version='1.0' encoding='utf-16'?>" + DOCTYPE + CANCEL).encode("utf-16-le"), "encoding_refused", id="no mark"
        ),
        pytest.param((DOCTYPE + CANCEL).encode("utf-32"), "encoding_refused", id="doctype in UTF-32"),
        pytest.param(
            b"<?xml version='1.0' encoding='UTF-7'?>+ADwAIQ-DOCTYPE x+AD4-<a/>", "encoding_refused", id="doctype in UTF-7"
        ),
        pytest.param(b"<?xml version='1.0' encoding='cp037'?><a/>", "encoding_refused", id="EBCDIC by name"),
        pytest.param(f"<?xml version='1.0' encoding='cp037'?>{CANCEL}".encode("cp037"), "not_xml", id="EBCDIC by bytes"),
        pytest.param(b"<?xml version='1.0' encoding='x-unheard-of'?><a/>", "encoding_refused", id="unknown encoding"),
        pytest.param(b"<?xml version='1.0' encoding='utf-16'?><a/>", "encoding_mismatch", id="said to be UTF-16, is not"),
        pytest.param(b"\xef\xbb\xbf<?xml version='1.0' encoding='iso-8859-1'?><a/>", "encoding_mismatch", id="mark against word"),
        pytest.param(booking(name="Zoé").encode("latin-1"), "encoding_mismatch", id="Latin-1 said to be UTF-8"),
        pytest.param("<?xml version='1.0' encoding='us-ascii'?><a b='é'/>".encode(), "encoding_mismatch", id="not ASCII"),
        pytest.param(f'<!DOCTYPE x [<!ENTITY e "9">]>{booking("1&e;0")}'.encode(), "doctype_refused", id="entity in an amount"),
        pytest.param(booking("1&e;0").encode(), "not_xml", id="entity without doctype"),
        pytest.param(BOMB.encode(), "doctype_refused", id="a billion laughs"),
        pytest.param(f'<!DOCTYPE x SYSTEM "file:///etc/passwd">{CANCEL}'.encode(), "doctype_refused", id="external subset"),
        pytest.param(gzip.compress(CANCEL.encode()), "compressed", id="gzip"),
        pytest.param(b"PK\x03\x04rest", "compressed", id="zip"),
        pytest.param(b"a" * 1_000_001, "body_too_large", id="a byte too many"),
        pytest.param(
            b"<a " + b" ".join(b'a%d="1"' % n for n in range(60_000)) + b"/>", "too_many_attributes", id="60,000 attributes"
        ),
        pytest.param(b"<a>" * 300 + b"</a>" * 300, "not_xml", id="too deep"),
        pytest.param(b"<x:a/>", "not_xml", id="namespace not declared"),
        pytest.param(CANCEL.encode()[:-3], "not_xml", id="cut short"),
        pytest.param(b"{}", "not_xml", id="JSON"),
        pytest.param(b" <?xml version='1.0'?><a/>", "not_xml", id="declaration not at the start"),
    ],
)
def test_refused(data: bytes, code: str) -> None:
    """Each says why by its code, and can be answered."""
    with pytest.raises(Undecodable) as refused:
        parse(data) if code != "body_too_large" else parse(data, max_bytes=1_000_000)

    assert refused.value.code == code


def test_doctype_is_found_where_utf16_is_allowed() -> None:
    """A channel may be allowed UTF-16; that opens no other door."""
    allowed = ("utf-8", "utf-16")

    assert parse(CANCEL.encode("utf-16"), allowed).tag.endswith("OTA_CancelRQ")
    with pytest.raises(Undecodable) as refused:
        parse((DOCTYPE + CANCEL).encode("utf-16"), allowed)
    assert refused.value.code == "doctype_refused"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b" " * 20_000_000, id="20 MB of blanks"),
        pytest.param(b"<a " + b" ".join(b'a%d="1"' % n for n in range(200_000)) + b"/>", id="200,000 attributes"),
        pytest.param(b"<a>" + b"<!DOCTYPE x>" * 100_000, id="1.2 MB of doctypes"),
    ],
)
def test_large_bodies_are_refused_before_they_are_parsed(data: bytes) -> None:
    """The size is looked at first: a tenth of a second is a hundred times what it takes."""
    before = time.perf_counter()
    with pytest.raises(Undecodable) as refused:
        decode(data, PROFILE)

    assert refused.value.code == "body_too_large"
    assert time.perf_counter() - before < 0.1


def test_attributes_are_counted_in_earnest_before_a_refusal() -> None:
    """Equal signs in text are no attributes."""
    assert parse(b"<a>" + b"=" * 150_000 + b"</a>").tag == "a"


@pytest.mark.parametrize("inside", ["<!-- -->", "<!-- 1 -->", "<?pi 1?>", "<![CDATA[]]>"])
def test_what_is_no_text_does_not_split_text(inside: str) -> None:
    """A comment inside a value does not cut it short."""
    assert guest_name(booking(name=f"Mar{inside}tin").encode()) == "Martin"


def test_comment_inside_an_amount() -> None:
    """An attribute cannot hold one."""
    with pytest.raises(Undecodable) as refused:
        decode(booking("100<!-- -->.00").encode(), PROFILE)

    assert refused.value.code == "not_xml"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        pytest.param(booking(name="Zoé Šimon €").encode(), "Zoé Šimon €", id="UTF-8"),
        pytest.param(b"\xef\xbb\xbf" + booking(name="Zoé").encode(), "Zoé", id="UTF-8 with mark"),
        pytest.param(
            booking(name="Zoé", declaration="<?xml version='1.0' encoding='ISO-8859-1'?>").encode("latin-1"), "Zoé", id="ISO-8859-1"
        ),
        pytest.param(
            booking(name="Š €", declaration='<?xml version="1.0" encoding="iso-8859-1"?>').encode("cp1252"),
            "Š €",
            id="windows as Latin-1",
        ),
        pytest.param(booking(name="Zo&#233;", declaration="<?xml version='1.0' encoding='US-ASCII'?>").encode(), "Zoé", id="ASCII"),
        pytest.param(booking(name="ZoÃ©").encode(), "ZoÃ©", id="mojibake made by others is kept as it came, not guessed at"),
    ],
)
def test_accents(data: bytes, name: str) -> None:
    """What is declared and allowed is read to the letter."""
    assert guest_name(data) == name


def test_blanks_that_only_indent_are_not_kept() -> None:
    """Those in a value are the value's."""
    root = parse(b"<a>\n  <b> </b>\n  <!-- x -->\n  <c> d </c>\n</a>")

    assert [(one.text, one.tail) for one in root.iter()] == [(None, None), (" ", None), (" d ", None)]


def test_a_parser_remembers_nothing() -> None:
    """A document is read the same after any other, and whoever else reads at the time."""
    documents = [
        booking(name="Zoé").encode(),
        booking(name="Zoé", declaration="<?xml version='1.0' encoding='iso-8859-1'?>").encode("latin-1"),
        b"\xef\xbb\xbf" + booking(name="Zoé", declaration="<?xml version='1.0' encoding='utf-8'?>").encode(),
    ]
    wrong = [booking(name="Zoé").encode()[:-9], booking(name="Zoé").encode("latin-1"), f"{DOCTYPE}{CANCEL}".encode(), b"<a><b></a>"]

    def read(n: int) -> str:
        with pytest.raises(Undecodable):
            parse(wrong[n % 4])
        return guest_name(documents[n % 3])

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(400))) == ["Zoé"] * 400


def test_a_declaration_is_settled_for_each_channel_and_mark() -> None:
    """What one channel may send is not what another may, however alike their documents begin."""
    data = booking(declaration="<?xml version='1.0' encoding='iso-8859-1'?>").encode()
    for _ in range(2):
        assert parse(data).tag.endswith("OTA_HotelResNotifRQ")
        with pytest.raises(Undecodable) as refused:
            parse(data, ("utf-8",))
        assert refused.value.code == "encoding_refused"
        with pytest.raises(Undecodable) as refused:
            parse(b"\xef\xbb\xbf" + data)
        assert refused.value.code == "encoding_mismatch"


PIECES = st.sampled_from(
    ("4111", "4", "1111 1111", "1111-1111-1111", " ", "-", "a", "c", "CVC ", "cvv2: ", "code ", "123", "Csc", "é", "٣")
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_card_slips_through(name: str) -> None:
    """What the search for cards would change is searched, whatever stands in front of it."""
    assert guest_name(booking(name=name).encode()) == scrub_text(" ".join(name.split()))[0]


def test_an_encoding_is_a_matter_of_the_channel() -> None:
    """The profile's list is the list."""
    with pytest.raises(Undecodable) as refused:
        decode(body("own/iso-8859-1"), profile(encodings=("utf-8",)))

    assert (refused.value.code, refused.value.field, refused.value.value) == ("encoding_refused", "encoding", "ISO-8859-1")


def test_errors_show_no_card() -> None:
    """X-10: a number in the wrong place is not repeated in the reason."""
    with pytest.raises(Undecodable) as refused:
        decode(booking("4111 1111 1111 1111").encode(), PROFILE)

    assert "1111" not in str(refused.value) + refused.value.value
    assert shown("4111111111111111") == "[card removed]"


MUTATED = (body("own/two-rooms-htng"), body("alpinebits/reservation-push"), body("concur/cancel"), body("own/several-one-wrong"))

PUT = st.one_of(st.binary(max_size=12), st.sampled_from([b'"', b"<", b">", b"&#x41;", b"-", b"9"]))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_raise_only_what_is_said(data: bytes) -> None:
    """Arbitrary bytes are a message or one of our errors, and every error has an answer."""
    _only_ours(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MUTATED), st.integers(0, 6000), st.integers(0, 40), PUT)
def test_damaged_messages_raise_only_what_is_said(data: bytes, at: int, cut: int, put: bytes) -> None:
    """So are real messages with a part overwritten."""
    at %= len(data)
    _only_ours(data[:at] + put + data[at + cut :])


def _only_ours(data: bytes) -> None:
    try:
        items = decode(data, PROFILE).items
    except (Undecodable, Rejected) as wrong:
        problem = wrong
    else:
        assert items
        return
    assert problem.code in TABLE
    assert refuse(None, problem, datetime(2026, 1, 1, tzinfo=UTC)).body.startswith(b"<?xml")
