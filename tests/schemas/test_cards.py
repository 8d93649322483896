"""X-10, X-22: card numbers and codes are found wherever they stand, and what only looks like one is left alone."""

from __future__ import annotations

import json
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import cards
from schemas.cards import CARD, CODE, is_card, scrub, scrub_bytes, scrub_field, scrub_text, suspicious

# Published test numbers of the schemes; none is an account.
CARDS = [
    "4111111111111111", "4012888888881881", "4000056655665556", "4917610000000000003", "4222222222222",  # Visa
    "5555555555554444", "5105105105105100", "2223003122003222", "2720990000000007",  # Mastercard
    "378282246310005", "371449635398431",  # American Express
    "30569309025904", "38520000023237", "36227206271667",  # Diners Club
    "6011111111111117", "6011000990139424", "6445644564456445",  # Discover
    "3530111333300000", "3566002020360505",  # JCB
    "6200000000000005", "6205500000000000004",  # UnionPay
    "6759649826438453", "5018000000000009", "6304000000000000", "67030000000000003",  # Maestro, Bancontact
    "2200000000000004",  # Mir
]  # fmt: skip


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "carte {} merci",
        "PAN:{};",
        "Card{}exp 12/26",
        "\t{}\n",
        "call 0612345678, card {}",
        "<CardNumber>{}</CardNumber>",
        "{}.",
        "n°{} 12 27",
        "Jean {}",
        "océan {}",
    ],
)
def test_card_numbers_in_free_text(number: str, text: str) -> None:
    """Of every scheme, wherever in the text."""
    clean, found = scrub_text(text.format(number))

    assert found
    assert text.format(CARD) == clean


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20131111\u20131111\u20131111",
        "4111 - 1111 - 1111 - 1111",
        "41 11 11 11 11 11 11 11",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "41111111 11111111",
        "3782 822463 10005",
        "3782-822463-10005",
        "3056 930902 5904",
        "6759 6498 2643 8453",
        "4917 6100 0000 0000 003",
        "\uff14\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11",
        "٤١١١١١١١١١١١١١١١",
    ],
)
def test_separators_are_seen_through(text: str) -> None:
    """As people group them, and in other digits."""
    assert (f"a {CARD} 12/26", True) == scrub_text(f"a {text} 12/26")


def test_a_number_that_is_called_a_barcode_may_be_a_card() -> None:
    """Barcodes and company numbers have 14 digits at most."""
    assert (f"EAN {CARD}", True) == scrub_text("EAN 4111 1111 1111 1111")
    assert scrub_text("SIRET 443 265 618 00015") == ("SIRET 443 265 618 00015", False)


def test_two_cards_and_a_date_before() -> None:
    """Each is taken out, what stands between stays."""
    text = "2026-07-24 4111111111111111 puis 5555 5555 5555 4444, 12/26"
    assert (f"2026-07-24 {CARD} puis {CARD}, 12/26", True) == scrub_text(text)


FALSE_ALARMS = [
    "FR76 3000 6000 0112 3456 7890 189", "FR7630006000011234567890189", "DE89370400440532013000", "BE68539007547034",
    "AT611904300234573201", "ES9121000418450200051332", "GB29NWBK60161331926819", "LU28 0019 4006 4475 0000", "NO9386011117947",
    "PT50000201231234567890154", "NL91ABNA0417164300", "MT84MALT011000012345MTLCAST001S",  # IBAN
    "SIRET 73282932000074", "siret: 732 829 320 00074", "732 829 320 00074", "SIREN 732829320", "RCS Nice 552100554",
    "TVA FR 40 303 265 045",  # companies
    "3017620422003", "4006381333931", "4902430735063", "5410188031072", "9782070360024", "0012345678905",  # barcodes
    "3014312345", "PAYID 3014312345/1", "100000123456",  # PAYID
    "+33 6 12 34 56 78", "0033612345678", "+49 170 1234567", "+4917012345678", "06 12 34 56 78", "01.42.34.56.78",
    "+33612345678 / +33493123456", "06 12 34 56 78 ou 04 93 12 34 56",  # telephones
    "1753351200000", "20260724100000", "20260724100000123", "2026-07-24 10:00:00.123456", "2026-07-24T10:00:00+02:00",
    "24/07/2026 31/07/2026", "24-07-2026 31-07-2026", "2026-07-24 2026-07-31",  # time
    "6f0c1d3e-0b5e-5c35-9d5e-411111111111", "41111111-1111-4111-9111-111111111111", "00000000-0000-0000-0000-000000000000",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",  # digests
    "48.4539578110221", "2.294481111111111", "43.5528474838374, 7.0173692626953",  # coordinates
    "4111111111111112", "5555555555554445", "1234567890123456", "0000000000000000", "9999999999999999",  # no Luhn, no issuer
    "B-1001", "B1001-1", "88231", "OTA-2026-000123456789", "4111 1111", "1111", "12000", "205.00 EUR", "1000000000000000",
    "4111111111111111111111111111",  # too long for a card
    "XXXXXXXXXXXX1111", "411111XXXXXX1111", "4111 11** **** 1111",  # masked already
]  # fmt: skip


@pytest.mark.parametrize("text", FALSE_ALARMS)
def test_false_alarms_in_free_text(text: str) -> None:
    """Left as they are, alone and in a sentence."""
    assert (text, False) == scrub_text(text)
    assert (f"Voir {text}, merci", False) == scrub_text(f"Voir {text}, merci")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("siret", "30569309025904"),
        ("guest_siret", "36227206271667"),
        ("provider_reference", "4111111111111111"),
        ("order", "4111111111111111"),
        ("barcode", "4111111111111111"),
        ("ticketBarcode", "4111111111111111"),
        ("id", "4111111111111111"),
        ("PAYID", "4111111111111111"),
        ("phone", "4917012345675"),
        ("iban", "4111111111111111"),
        ("ResID_Value", "4111111111111111"),
        ("references", [{"namespace": "pms:thais", "value": "4111111111111111"}]),
    ],
)
def test_exempt_fields(field: str, value: object) -> None:
    """Fields that are typed as references, barcodes or numbers of companies may hold any digits."""
    assert ({field: value}, ()) == scrub({field: value})


@pytest.mark.parametrize(
    "field", ["name", "note", "mandate", "CardHolderName", "number", "cardNumber", "x", "namespace", "value", "line"]
)
def test_other_fields_are_not_exempt(field: str) -> None:
    """Everything else may not."""
    assert ({field: CARD}, (field,)) == scrub({field: "4111111111111111"})


@pytest.mark.parametrize("field", ["cvc", "CVV", "cvv2", "securityCode", "security_code", "SeriesCode", "CardCode", "card-cvc"])
@pytest.mark.parametrize("value", ["123", "1234", 123, " 737 "])
def test_security_codes_by_field(field: str, value: object) -> None:
    """As text or number."""
    assert ({"card": {field: CODE}}, (f"card.{field}",)) == scrub({"card": {field: value}})


@pytest.mark.parametrize(
    "text", ["CVV: 123", "cvc 1234", "CVC2=123", 'SeriesCode="123"', "<cvc>123</cvc>", "cryptogramme : 123", "code de sécurité 123"]
)
def test_security_codes_in_text(text: str) -> None:
    """Where the text says what it is."""
    clean, found = scrub_text(text)

    assert found
    assert "123" not in clean
    assert CODE in clean


@pytest.mark.parametrize("text", ["CVCCheck OK", "chambre 123", "code 1234 portail", "securitycode", "CVV", "recvc 123456"])
def test_no_security_codes(text: str) -> None:
    """Numbers of rooms and gates are not."""
    assert (text, False) == scrub_text(text)


def test_card_fields_need_no_luhn() -> None:
    """A mistyped card number in a card field is one; a masked one is not."""
    assert scrub_field("CardNumber", "4111 1111 1111 1112") == (CARD, True)
    assert scrub_field("CARDNO", "XXXXXXXXXXXX1111") == ("XXXXXXXXXXXX1111", False)


def test_every_place_of_a_value() -> None:
    """Nested, as a number, as a key; the paths say where, the original is untouched, the rest is the same."""
    pan = "4111111111111111"
    value = {
        "guest": {"name": f"Ada {pan}", "phone": "+33612345678"},
        "lines": [{"line": "1", "price": 12000}, {"comment": [pan, 1, None, True, 1.5]}],
        "n": int(pan),
        pan: "key",
    }
    before = json.dumps(value)
    clean, paths = scrub(value)

    assert {
        "guest": {"name": f"Ada {CARD}", "phone": "+33612345678"},
        "lines": [{"line": "1", "price": 12000}, {"comment": [CARD, 1, None, True, 1.5]}],
        "n": CARD,
        CARD: "key",
    } == clean
    assert paths == ("guest.name", "lines[1].comment[0]", "n", CARD)
    assert before == json.dumps(value)
    assert scrub({"x": pan}, "data")[1] == ("data.x",)


def test_nothing_found_gives_the_same_object() -> None:
    """No copy is made of what is clean."""
    value = {"a": [{"b": "c"}]}
    clean, paths = scrub(value)

    assert clean is value
    assert paths == ()


def test_paths_are_bounded() -> None:
    """A list of a thousand cards is cleaned whole and named in part."""
    clean, paths = scrub(["4111111111111111"] * 1000)

    assert clean == [CARD] * 1000
    assert len(paths) == 50


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_bytes_that_nobody_could_decode(encoding: str) -> None:
    """In any encoding, cut short or broken; the length stays."""
    text = 'é <Card CardNumber="5555 5555 5555 4444" SeriesCode="123" Amount="12000">'
    data = text.encode(encoding)[:-1]
    clean, found = scrub_bytes(data)

    assert found
    assert len(data) == len(clean)
    shown = clean.replace(b"\0", b"")
    assert b"4444" not in shown
    assert b'"123"' not in shown
    assert b"12000" in shown


def test_clean_bytes_stay() -> None:
    """The same object, whatever it is."""
    for data in (b"", b"\0\0\0", b"\xff\xfe\x00", b'{"price": 12000, "at": "2026-07-24T10:00:00Z"}'):
        assert scrub_bytes(data) == (data, False)


def test_the_usual_message_takes_the_fast_path() -> None:
    """No card, no code: nothing is decoded for it."""
    body = b'{"folio":"B-1001","references":[{"namespace":"pms:thais","value":"88"}],"guest":{"name":"H\xc3\xa9l\xc3\xa8ne"},"price":12000}'
    assert not suspicious(body)


def any_case(text: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from([c.lower(), c.upper()]) for c in text)).map("".join)


noise = st.text(max_size=12)
separators = st.text(st.sampled_from(" -.\u00a0\u2013\t\u202f\u200b\u2028\u3000"), max_size=2)
numbers = st.tuples(st.sampled_from(CARDS), separators, st.booleans()).map(
    lambda t: t[1].join(t[0][i : i + 4] for i in range(0, len(t[0]), 4)) if t[2] else t[0]
)
mistyped = numbers.map(lambda text: text.replace("1", "2"))
fields = st.sampled_from(
    [
        "cvc", "seriesCode", "security_code", "cryptogramme", "verificationValue", "card_code", "card-code", "c.s.c",
        "cardNumber", "PAN", "track-2", "numero_carte", "siret", "name", "x",
    ]
).flatmap(any_case)  # fmt: skip


@given(
    st.dictionaries(
        fields,
        noise
        | numbers
        | mistyped
        | st.tuples(noise, numbers, noise).map("".join)
        | st.integers(0, 10**19)
        | st.lists(numbers, max_size=2),
        max_size=3,
    ),
    st.booleans(),
)
def test_the_fast_path_misses_nothing(value: dict[str, object], ascii_only: bool) -> None:
    """What `scrub` would change is always suspicious, however it is written as JSON."""
    _, paths = scrub(value)
    if paths:
        assert suspicious(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", sorted(cards._CODE_FIELDS | cards._CARD_FIELDS))
def test_every_field_for_cards_is_looked_into(name: str) -> None:
    """A mistyped number, too, and however the name is spaced."""
    value = {f"{name[:3]}-{name[3:]}": "4111111111111112" if name in cards._CARD_FIELDS else "12"}

    assert scrub(value)[1]
    assert suspicious(json.dumps(value).encode())


@pytest.mark.parametrize("text", ["+44 7911 123456", "00447911123456", "20260501100000123", "6f0c1d3e-0b5e-5c35-9d5e-123456789012"])
def test_telephones_times_and_ids_take_the_fast_path(text: str) -> None:
    """Bookings are full of them."""
    assert not suspicious(json.dumps({"name": text}).encode())


def test_what_stands_beside_hides_no_card() -> None:
    """A word exempts what follows it in its own text, and nothing in the next."""
    value = ["tva", "36227206271667"]

    assert scrub(value)[1] == ("[1]",)
    assert suspicious(msgspec.json.encode(value))


@given(st.tuples(noise, numbers, noise).map("".join))
def test_scrubbing_twice_changes_nothing(text: str) -> None:
    """What was cleaned is clean."""
    once, _ = scrub_text(text)
    assert once == scrub_text(once)[0]


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Never an error, never another length."""
    assert len(data) == len(scrub_bytes(data)[0])


@given(st.sampled_from(CARDS), st.integers(0, 18), st.integers(1, 9))
def test_luhn_sees_a_wrong_digit(number: str, place: int, step: int) -> None:
    """One digit typed wrong is no card number."""
    place %= len(number)
    wrong = f"{number[:place]}{(int(number[place]) + step) % 10}{number[place + 1 :]}"
    assert is_card(number)
    assert not is_card(wrong)


@pytest.mark.parametrize("text", [pytest.param("1-" * 400_000, id="no issuer"), pytest.param("4 " * 200_000, id="an issuer")])
def test_digits_without_end_are_searched_in_time(text: str) -> None:
    """A body full of single digits holds nobody up; it took twenty seconds once."""
    begun_s = time.process_time()

    scrub_text(text)

    assert time.process_time() - begun_s < 10
