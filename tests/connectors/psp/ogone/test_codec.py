"""Orders to bytes and answers to values: the published samples, the golden folders, and what must not be believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.psp.ogone import codec
from connectors.psp.ogone.account import LevelAmounts
from schemas.effect import EffectKind, EffectOrder, ProviderRecord, RecordKind, Reply, Result
from schemas.errors import Rejected, Undecodable
from tests.connectors.psp.ogone.golden import VECTORS, account, cases, value

ORDER = EffectOrder(
    effect="e1", key="k1", kind=EffectKind.REFUND, provider="ogone", merchant="azur", reference="7", order="o", minor=2000,
    currency="EUR",
)  # fmt: skip


def xml(**attributes: str) -> bytes:
    return ("<ncresponse " + " ".join(f"{n}={quoteattr(v)}" for n, v in attributes.items()) + "/>").encode("iso-8859-1")


def reply(order: EffectOrder = ORDER, amounts: LevelAmounts = LevelAmounts.OPERATION, **attributes: str) -> Reply:
    return codec.maintenance_reply(codec.parse_response(xml(**attributes)), order, account(level_amounts=amounts))


@pytest.mark.parametrize("sample", VECTORS["answers"], ids=[v["id"] for v in VECTORS["answers"]])
def test_published_answers(sample: dict[str, Any]) -> None:
    """Every sample is read: all its attributes, in whatever case, its status, its error, its amount."""
    body = sample["xml"].encode("utf-8") if "xml" in sample else xml(**sample["attributes"])
    answer = codec.parse_response(body)
    expected = sample["expect"]

    assert {n.upper(): v for n, v in sample["attributes"].items()} == dict(answer.attributes)
    assert expected["status"] == answer.status
    assert expected.get("ncerror", answer.ncerror) == answer.ncerror
    assert expected.get("payidsub", "") == answer.level
    if "amount_minor" in expected:
        assert expected["amount_minor"] == answer.minor


OUTCOMES = {
    "authorised": {(RecordKind.AUTHORISATION, Result.CONFIRMED)},
    "action_required": {(RecordKind.AUTHORISATION, Result.ACCEPTED)},
    "pending": {(kind, Result.ACCEPTED) for kind in RecordKind},
    "rejected_request": {(RecordKind.OTHER, Result.REFUSED)},
    "configuration_error": {(RecordKind.OTHER, Result.REFUSED)},
    "duplicate": {(RecordKind.OTHER, Result.REFUSED)},
}


@pytest.mark.parametrize("sample", VECTORS["answers"], ids=[v["id"] for v in VECTORS["answers"]])
def test_published_outcomes(sample: dict[str, Any]) -> None:
    """The sample's own reading of its status is ours."""
    body = sample["xml"].encode("utf-8") if "xml" in sample else xml(**sample["attributes"])
    record = codec.record_of(codec.parse_response(body))

    assert (record.kind, record.result) in OUTCOMES[sample["expect"]["outcome"]]


@pytest.mark.parametrize("sample", VECTORS["invalid_answers"], ids=[v["id"] for v in VECTORS["invalid_answers"]])
def test_published_broken_answers(sample: dict[str, Any]) -> None:
    """What is no XML raises; the connector makes UNKNOWN of it."""
    with pytest.raises(Undecodable):
        codec.parse_response(sample["xml"].encode("utf-8"))


@pytest.mark.parametrize("sample", VECTORS["amounts"], ids=[v["text"] for v in VECTORS["amounts"]])
def test_published_amounts(sample: dict[str, Any]) -> None:
    """Major units with decimals only when needed; what is no number raises."""
    body = xml(STATUS="9", amount=sample["text"], currency="EUR")
    if sample["minor"] is None:
        with pytest.raises(Undecodable):
            codec.parse_response(body)
    else:
        assert sample["minor"] == codec.parse_response(body).minor


@pytest.mark.parametrize("folder", cases("maintenance-"), ids=lambda folder: folder.name)
def test_golden_maintenance(folder: Path) -> None:
    """An order becomes exactly these bytes, and these bytes become exactly this reply."""
    golden = value(folder)
    order = msgspec.convert(golden["order"], EffectOrder)
    fields = codec.maintenance_fields(order, account())
    answer = codec.parse_response((folder / "answer.xml").read_bytes(), "text/xml; charset=iso-8859-1")

    assert (folder / "request.form").read_bytes() == codec.form(fields, account())
    assert msgspec.convert(golden["reply"], Reply) == codec.maintenance_reply(answer, order, account())


@pytest.mark.parametrize("folder", cases("query-"), ids=lambda folder: folder.name)
def test_golden_query(folder: Path) -> None:
    """One history level asked for, and read."""
    golden = value(folder)
    fields = codec.query_fields(golden["reference"], "", golden["level"], account())
    answer = codec.parse_response((folder / "answer.xml").read_bytes())

    assert (folder / "request.form").read_bytes() == codec.form(fields, account())
    assert msgspec.convert(golden["record"], ProviderRecord) == codec.record_of(answer)


@pytest.mark.parametrize(
    ("minor", "currency", "digits", "wire"),
    [
        pytest.param(1999, "EUR", {}, "1999", id="two decimals"),
        pytest.param(1999, "JPY", {}, "199900", id="no decimals: still times a hundred"),
        pytest.param(1990, "KWD", {}, "199", id="three decimals that fit"),
        pytest.param(1999, "JPY", {"JPY": 0}, "1999", id="account without the factor"),
        pytest.param(1999, "KWD", {"KWD": 3}, "1999", id="account with three decimals"),
    ],
)
def test_wire_amount(minor: int, currency: str, digits: dict[str, int], wire: str) -> None:
    """Minor units to the wire and back, whatever the currency's exponent."""
    assert wire == codec.wire_amount(minor, currency, digits)
    assert minor == codec.minor_of_wire(wire, currency, digits)


def test_a_negative_amount_is_none() -> None:
    """Neither money that went the other way, nor an answer that cannot be read."""
    assert codec.parse_response(xml(STATUS="8", amount="-5", currency="EUR")).minor is None


@pytest.mark.parametrize(("minor", "currency"), [(1999, "KWD"), (0, "EUR"), (-5, "EUR"), (1, "XXQ")])
def test_amount_that_cannot_be_written(minor: int, currency: str) -> None:
    """Nothing is rounded on the way out: the order is refused before anything is sent."""
    with pytest.raises(Rejected):
        codec.maintenance_fields(msgspec.structs.replace(ORDER, minor=minor, currency=currency), account())


def test_provider_refuses_decimals_that_a_currency_lacks() -> None:
    """150 on the wire would be 1.50 JPY."""
    with pytest.raises(Rejected):
        codec.minor_of_wire("150", "JPY")


@given(st.integers(1, 10**12), st.sampled_from(["EUR", "JPY", "KWD", "CHF", "ISK"]))
def test_shown_amounts_read_back(minor: int, currency: str) -> None:
    """What the provider shows is what it holds."""
    text = codec.shown_amount(minor, currency)

    assert minor == codec.parse_response(xml(STATUS="9", amount=text, currency=currency)).minor
    assert not text.endswith(".")


@pytest.mark.parametrize(
    ("kind", "last", "operation"),
    [
        (EffectKind.REFUND, False, "RFD"), (EffectKind.REFUND, True, "RFS"), (EffectKind.CAPTURE, False, "SAL"),
        (EffectKind.CAPTURE, True, "SAS"), (EffectKind.VOID, False, "DEL"), (EffectKind.VOID, True, "DES"),
    ],
)  # fmt: skip
def test_operations(kind: EffectKind, last: bool, operation: str) -> None:
    """Each kind, partial and last; each is one that the provider lists."""
    order = msgspec.structs.replace(ORDER, kind=kind, last=last)

    assert operation == codec.maintenance_fields(order, account())["OPERATION"]
    assert operation in VECTORS["operations"]


def test_payid_before_orderid() -> None:
    """A referenced refund needs only PAYID; without one the order is named; without both nothing can be said."""
    assert "ORDERID" not in codec.maintenance_fields(ORDER, account())
    assert codec.maintenance_fields(msgspec.structs.replace(ORDER, reference=""), account())["ORDERID"] == "o"
    with pytest.raises(Rejected):
        codec.query_fields("", "", None, account())


def test_another_merchants_order_is_refused() -> None:
    """An account never sends for somebody else."""
    with pytest.raises(Rejected):
        codec.maintenance_fields(msgspec.structs.replace(ORDER, merchant="other"), account())


BOMB = b'<!DOCTYPE a [<!ENTITY x "y">]><ncresponse STATUS="8" NCERRORPLUS="&x;"/>'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BOMB, id="entity"),
        pytest.param(b'<?xml version="1.0"?>' + BOMB, id="entity after a declaration"),
        pytest.param(b'<!doctype ncresponse SYSTEM "http://127.0.0.1:9/x"><ncresponse STATUS="8"/>', id="external"),
        pytest.param(BOMB.decode().encode("utf-16"), id="document type in UTF-16"),
        pytest.param(BOMB.decode().encode("utf-16-be"), id="document type in UTF-16 without a mark"),
        pytest.param(b'<?xml version="1.0" encoding="utf-7"?><ncresponse STATUS="8"/>', id="UTF-7"),
        pytest.param(b'<?xml version="1.0" encoding="ebcdic-cp-us"?><ncresponse STATUS="8"/>', id="EBCDIC"),
        pytest.param(b'<ncresponse STATUS="8"/><ncresponse STATUS="9"/>', id="two roots"),
        pytest.param(b'<other STATUS="8"/>', id="another root"),
        pytest.param(b'<ncresponse STATUS="8" status="9"/>', id="attribute twice"),
        pytest.param(b'<ncresponse STATUS="8" amount="1,5" currency="EUR"/>', id="comma"),
        pytest.param(b'<ncresponse STATUS="8" amount="1" currency="Euro"/>', id="no currency"),
        pytest.param(b'<ncresponse STATUS="8" x="' + b"a" * codec.MAX_BODY + b'"/>', id="too long"),
        pytest.param(b"<html><body>busy</body></html>", id="a page"),
        pytest.param(b"\0", id="nothing readable"),
    ],
)
def test_answers_that_are_none(body: bytes) -> None:
    """Hardened reading: each of these is an answer that never came."""
    with pytest.raises(Undecodable):
        codec.parse_response(body)


PLAIN = '<ncresponse NCERRORPLUS="refusé"/>'
DECLARED = '<?xml version="1.0" encoding="{}"?><NCRESPONSE ncerrorplus="refusé"/>'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(PLAIN.encode("iso-8859-1"), "text/xml; charset=iso-8859-1", id="header"),
        pytest.param(PLAIN.encode("iso-8859-1"), "", id="nothing said"),
        pytest.param(PLAIN.encode(), "text/xml", id="UTF-8"),
        pytest.param(PLAIN.encode("utf-8-sig"), "", id="UTF-8 with a mark"),
        pytest.param(DECLARED.format("ISO-8859-1").encode("iso-8859-1"), "", id="declared"),
        pytest.param(DECLARED.format("UTF-8").encode("iso-8859-1"), "", id="declared wrongly"),
        pytest.param(b'  <?xml version="1.0"?><ncresponse NCERRORPLUS="refus&#233;"/>', "", id="indented, by reference"),
    ],
)
def test_encodings(body: bytes, content_type: str) -> None:
    """The same text however it was written."""
    assert codec.parse_response(body, content_type).message == "refusé"


@pytest.mark.parametrize(
    ("attributes", "result"),
    [
        pytest.param({"STATUS": "8", "NCERROR": "0"}, Result.CONFIRMED, id="yes"),
        pytest.param({"STATUS": "8"}, Result.CONFIRMED, id="yes, error absent"),
        pytest.param({"STATUS": "81", "NCERROR": ""}, Result.ACCEPTED, id="pending"),
        pytest.param({"STATUS": "82"}, Result.UNKNOWN, id="uncertain"),
        pytest.param({"STATUS": "83", "NCERROR": "30001001"}, Result.REFUSED, id="no"),
        pytest.param({"STATUS": "83", "NCERROR": "20001001"}, Result.UNKNOWN, id="no that will evolve"),
        pytest.param({"STATUS": "8", "NCERROR": "30001001"}, Result.UNKNOWN, id="yes beside an error"),
        pytest.param({"STATUS": "96"}, Result.REVERSED, id="reversed"),
        pytest.param({"STATUS": "92"}, Result.UNKNOWN, id="capture uncertain"),
        pytest.param({"STATUS": "52"}, Result.UNKNOWN, id="authorisation unknown"),
        pytest.param({"STATUS": "88"}, Result.UNKNOWN, id="query failed"),
        pytest.param({"STATUS": "9"}, Result.UNKNOWN, id="the payment's own status"),
        pytest.param({"STATUS": "777"}, Result.UNKNOWN, id="a number nobody knows"),
        pytest.param({"STATUS": "08"}, Result.UNKNOWN, id="a number written otherwise"),
        pytest.param({}, Result.UNKNOWN, id="no status"),
        pytest.param({"STATUS": "0", "NCERROR": "0"}, Result.UNKNOWN, id="invalid without an error"),
        pytest.param({"STATUS": "0", "NCERROR": "50001129"}, Result.REFUSED, id="refund overflow"),
        pytest.param({"STATUS": "0", "NCERROR": "50001218"}, Result.REFUSED, id="no refunds allowed"),
        pytest.param({"STATUS": "0", "NCERROR": "50001184"}, Result.REFUSED, id="signature"),
        pytest.param({"STATUS": "0", "NCERROR": "50001113"}, Result.UNKNOWN, id="already processed: look it up"),
        pytest.param({"STATUS": "0", "NCERROR": "50001133"}, Result.UNKNOWN, id="duplicate request"),
        pytest.param({"STATUS": "0", "NCERROR": "50001127"}, Result.UNKNOWN, id="wrong status: perhaps our own echo"),
        pytest.param({"STATUS": "0", "NCERROR": "20002005"}, Result.UNKNOWN, id="no feedback from the bank"),
        pytest.param({"STATUS": "0", "NCERROR": "59999999"}, Result.UNKNOWN, id="an error nobody knows"),
        pytest.param({"STATUS": "8", "PAYID": "8"}, Result.UNKNOWN, id="another payment's answer"),
        pytest.param({"STATUS": "8", "amount": "21", "currency": "EUR"}, Result.UNKNOWN, id="another amount's answer"),
        pytest.param({"STATUS": "8", "amount": "20", "currency": "USD"}, Result.UNKNOWN, id="another currency's answer"),
    ],
)
def test_only_an_explicit_yes_or_no_is_one(attributes: dict[str, str], result: Result) -> None:
    """Everything between yes and no is UNKNOWN."""
    answer = codec.parse_response(xml(**attributes))

    assert result is codec.maintenance_reply(answer, ORDER, account()).result


def test_status_zero_makes_no_record() -> None:
    """It speaks of the call, not of the payment."""
    assert reply(STATUS="0", NCERROR="50001129", PAYID="7", PAYIDSUB="3").record is None


def test_cumulated_answer_is_not_another_amount() -> None:
    """Where levels show sums, an answer's amount proves nothing, and is not taken for the operation's."""
    got = reply(amounts=LevelAmounts.CUMULATED, STATUS="8", PAYIDSUB="2", amount="45", currency="EUR")

    assert got.result is Result.CONFIRMED
    assert got.record is not None
    assert got.record.minor is None


def level(number: int, status: str, minor: int | None) -> ProviderRecord:
    body: dict[str, str] = {"STATUS": status, "PAYID": "7", "PAYIDSUB": str(number), "currency": "EUR"}
    if minor is not None:
        body["amount"] = codec.shown_amount(minor, "EUR")
    return codec.record_of(codec.parse_response(xml(**body)))


def test_cumulated_levels() -> None:
    """Each level's own amount: refused operations show themselves but do not count for those that follow."""
    shown = [level(0, "9", 20000), level(1, "8", 2000), level(2, "83", 5000), level(3, "81", 4000), level(4, "8", 4500)]
    own = codec.own_amounts(shown, LevelAmounts.CUMULATED)

    assert [r.minor for r in own] == [20000, 2000, 3000, 2000, 500]
    assert codec.own_amounts(shown, LevelAmounts.OPERATION) == tuple(shown)


def test_cumulated_levels_that_cannot_be_told_apart() -> None:
    """After a level that does not say what it is, amounts are not guessed."""
    own = codec.own_amounts([level(0, "9", 20000), level(1, "777", 2000), level(2, "8", 4000)], LevelAmounts.CUMULATED)

    assert [r.minor for r in own] == [20000, 2000, None]
