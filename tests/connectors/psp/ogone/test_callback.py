"""Callbacks: the published one, the golden ones, and those that are not the provider's."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from connectors.psp.ogone import callback, signature
from connectors.psp.ogone.signature import Algorithm, Charset, Scheme
from schemas.errors import HubError, Undecodable
from tests.connectors.psp.ogone.golden import VECTORS, account, cases, value

FIELDS = {"orderID": "B1", "PAYID": "7", "PAYIDSUB": "1", "STATUS": "8", "amount": "15.10", "currency": "EUR", "NCERROR": "0"}


def signed(fields: dict[str, str], passphrase: str = "golden-out") -> str:
    return urlencode({**fields, "SHASIGN": signature.sign(fields, passphrase, account().signs_out)}, encoding="iso-8859-1")


@pytest.mark.parametrize("charset", list(Charset))
@pytest.mark.parametrize("folder", cases("callback-"), ids=lambda folder: folder.name)
def test_golden(folder: Path, charset: Charset) -> None:
    """Accents signed and sent in either encoding, whichever the account says; the amount's text is kept as signed."""
    golden = value(folder)
    got = callback.verify((folder / "callback.form").read_bytes(), account(charset=charset))

    for name in ("order", "reference", "level", "status", "currency", "amount_text", "minor", "unsigned"):
        assert golden[name] == getattr(got, name), name
    assert golden["complus"] == got.fields["COMPLUS"]
    assert (golden["kind"], golden["result"]) == (got.kind, got.result)
    assert "CN" not in got.fields
    assert got.fields["CARDNO"] == "XXXXXXXXXXXX1111"


def test_published_sample() -> None:
    """The guide's example, signed by us, blanks and slashes and all."""
    sample = VECTORS["callbacks"][0]
    fields = dict(piece.split("=", 1) for piece in sample["query"].split("&"))
    given = signature.sign(fields, "golden-out", account().signs_out)
    query = "&".join(f"{name}={quote(text)}" for name, text in {**fields, "SHASIGN": given}.items())
    got = callback.verify(query, account())

    assert (got.order, got.reference, got.status, got.minor) == ("ref12345", "1136745", "5", 2500)


def test_query_string_and_form_are_the_same() -> None:
    """GET or POST is the merchant's choice."""
    text = signed(FIELDS)

    assert callback.verify(text, account()) == callback.verify("?" + text, account()) == callback.verify(text.encode(), account())


def test_old_scheme() -> None:
    """The fixed order of accounts before May 2010, as published."""
    for vector in (v for v in VECTORS["signatures"] if v["scheme"] == "main_parameters_only"):
        own = account(scheme=Scheme.MAIN, algorithm=Algorithm(vector["algorithm"]), sha_out=(vector["passphrase"],))
        got = callback.verify(urlencode({**vector["params"], "SHASIGN": vector["expected_signature"]}), own)

        assert (got.order, got.minor, got.status) == ("2101947639", 1908, "5")
        assert "TRXDATE" in got.unsigned


def test_rotation() -> None:
    """Old and new passphrase are both valid; the one that fitted is told."""
    own = account(sha_out=("new", "old"))

    assert callback.verify(signed(FIELDS, "new"), own).passphrase == 0
    assert callback.verify(signed(FIELDS, "old"), own).passphrase == 1
    with pytest.raises(callback.WrongSignature):
        callback.verify(signed(FIELDS, "older"), own)


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        pytest.param(signed(FIELDS).replace("15.10", "15.1"), "AMOUNT", id="amount re-written on the way"),
        pytest.param(signed(FIELDS).replace("STATUS=8", "STATUS=9"), "", id="status forged"),
        pytest.param(signed(FIELDS) + "&TICKET=1", "TICKET", id="list drift"),
        pytest.param(urlencode(FIELDS), "SHASIGN", id="unsigned"),
        pytest.param("", "SHASIGN", id="empty"),
    ],
)
def test_wrong_signature(text: str, differs: str) -> None:
    """The door says nothing but no; the log is told which parameter."""
    with pytest.raises(callback.WrongSignature) as caught:
        callback.verify(text, account())

    assert caught.value.differs == differs
    assert caught.value.message == "the signature does not fit"
    assert "golden-out" not in caught.value.reason


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(signed(FIELDS) + "&STATUS=9", "repeated_parameter", id="twice"),
        pytest.param(signed(FIELDS) + "&status=9", "repeated_parameter", id="twice in another case"),
        pytest.param(signed(FIELDS) + "&X=%zz", "not_a_form", id="broken percent"),
        pytest.param("X=" + "a" * 70_000, "too_long", id="long"),
        pytest.param("&".join(f"X{n}=1" for n in range(300)), "too_long", id="many"),
        pytest.param(signed({**FIELDS, "amount": "NaN"}), "amount_not_a_number", id="NaN"),
        pytest.param(signed({**FIELDS, "amount": "1e3"}), "amount_not_a_number", id="exponent"),
        pytest.param(signed({**FIELDS, "currency": "Euro"}), "amount_not_a_number", id="no currency"),
    ],
)
def test_not_a_callback(text: str, code: str) -> None:
    """Each is refused with its own word."""
    with pytest.raises(HubError) as caught:
        callback.verify(text, account())

    assert isinstance(caught.value, Undecodable)
    assert caught.value.code == code


def test_card_data_is_scrubbed_after_the_check() -> None:
    """A card number is hidden and counted, wherever it stands; references are not mistaken for one."""
    fields = {**FIELDS, "COMPLUS": "card 4111 1111 1111 1111", "CARDNO": "4111111111111111", "orderID": "4111111111111111"}
    got = callback.verify(signed(fields), account())

    assert got.scrubbed == ("CARDNO", "COMPLUS")
    assert got.order == "4111111111111111"
    assert "1111" not in got.fields["COMPLUS"] + got.fields["CARDNO"]


def test_identity() -> None:
    """The same message again has the same identity, also under another passphrase; another status has another."""
    own = account(sha_out=("a", "b"))
    first, again, other = (
        callback.verify(signed(fields, key), own).identity
        for fields, key in ((FIELDS, "a"), (FIELDS, "b"), ({**FIELDS, "STATUS": "83"}, "a"))
    )

    assert first == again != other
