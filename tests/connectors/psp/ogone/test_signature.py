"""Signatures both ways: the published vectors, then the edges that no vector has."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.psp.ogone import parameters, signature
from connectors.psp.ogone.signature import Algorithm, Charset, Rule, Scheme
from schemas.errors import Rejected
from tests.connectors.psp.ogone.golden import VECTORS

SIGNED = [v for v in VECTORS["signatures"] if v["params"]]


def rule_of(vector: dict[str, Any], charset: Charset = Charset.UTF8) -> Rule:
    algorithm = Algorithm(vector.get("algorithm", "sha1"))
    if vector.get("scheme") == "main_parameters_only":
        assert vector["order"][-1] == "<passphrase>"
        return Rule(algorithm=algorithm, scheme=Scheme.MAIN, order=tuple(vector["order"][:-1]), charset=charset)
    names = parameters.SHA_OUT if vector.get("direction", "SHA-OUT") == "SHA-OUT" else parameters.SHA_IN
    return Rule(algorithm=algorithm, charset=charset, names=None if vector.get("id") == "ogone-generic-sha512" else names)


@pytest.mark.parametrize("charset", list(Charset))
@pytest.mark.parametrize("vector", SIGNED, ids=[v["id"] for v in SIGNED])
def test_published_vectors(vector: dict[str, Any], charset: Charset) -> None:
    """Every published digest, its canonical text, and its verification; ASCII signs alike in both charsets."""
    rule = rule_of(vector, charset)
    values = signature.encoded(vector["params"], charset)
    text = signature.canonical(values, vector["passphrase"].encode(), rule).decode()

    assert vector["string_to_hash"] == text
    assert vector["expected_signature"] == signature.sign(vector["params"], vector["passphrase"], rule)
    assert signature.verify(values, vector["expected_signature"], [vector["passphrase"]], rule).ok
    assert signature.verify(values, vector["expected_signature"].lower(), [vector["passphrase"]], rule).ok


def test_nothing_signed_is_refused() -> None:
    """The degenerate vector: its digest is that of nothing, and neither sending nor accepting it is allowed."""
    vector = next(v for v in VECTORS["signatures"] if not v["params"])
    rule = rule_of(vector)

    assert vector["expected_signature"] == signature.digest({}, vector["passphrase"], rule)
    with pytest.raises(Rejected):
        signature.sign({}, "a passphrase", rule)
    with pytest.raises(Rejected):
        signature.sign({"ORDERID": "1"}, "", rule)
    assert not signature.verify({}, vector["expected_signature"], [""], rule).ok


@pytest.mark.parametrize("vector", VECTORS["negatives"], ids=[v["id"] for v in VECTORS["negatives"]])
def test_negative_vectors(vector: dict[str, Any]) -> None:
    """Wrong and empty signatures are rejected, and the log is told that SHASIGN is the parameter."""
    fields = {n: v for n, v in vector["params"].items() if n != "SHASIGN"}
    values = signature.encoded(fields, Charset.LATIN1)
    verdict = signature.verify(values, vector["params"]["SHASIGN"], [vector["passphrase"]], rule_of(vector))

    assert not verdict.ok
    assert verdict.differs == "SHASIGN"
    assert vector["passphrase"] not in verdict.reason


@pytest.mark.parametrize("vector", VECTORS["canonical"], ids=[v["id"] for v in VECTORS["canonical"]])
def test_canonicalisation(vector: dict[str, Any]) -> None:
    """Names upper-cased, sorted, empty values dropped."""
    if "expected_string" in vector:
        values = signature.encoded(vector["params"], Charset.LATIN1)
        rule = Rule(names=parameters.SHA_IN)
        assert vector["expected_string"] == signature.canonical(values, vector["passphrase"].encode(), rule).decode()
    else:
        rule = Rule(names=None, algorithm=Algorithm(vector["algorithm"]))
        both = [signature.sign(vector[key], vector["passphrase"], rule) for key in ("params", "same_as_params")]
        assert both[0] == both[1]


def test_repeats_sort_by_number() -> None:
    """ITEMNAME2 comes before ITEMNAME10, and both are in the list as ITEMNAME*XX*."""
    fields = {f"ITEMNAME{n}": str(n) for n in (10, 2, 1)} | {"ITEMID": "x"}
    text = signature.canonical(signature.encoded(fields, Charset.LATIN1), b"/", Rule(names=parameters.SHA_IN))

    assert text == b"ITEMNAME1=1/ITEMNAME2=2/ITEMNAME10=10/"


@pytest.mark.parametrize("name", ["PAYIDSUB", "TICKET"])
def test_default_list_is_the_newer_one(name: str) -> None:
    """Newer accounts sign these two: they change the digest."""
    rule = Rule(names=parameters.SHA_OUT)

    assert signature.sign({"PAYID": "1"}, "p", rule) != signature.sign({"PAYID": "1", name: "2"}, "p", rule)


def test_alias_gateway_leaves_cards_out() -> None:
    """The Alias Gateway's SHA-IN has no card fields."""
    names = tuple(n for n in parameters.SHA_IN if n not in parameters.ALIAS_GATEWAY_OUT_OF_SHA_IN)

    assert signature.sign({"ALIAS": "a"}, "p", Rule(names=names)) == signature.sign(
        {"ALIAS": "a", "CARDNO": "x", "CN": "y", "CVC": "z", "ED": "w"}, "p", Rule(names=names)
    )


def test_rotation() -> None:
    """Two passphrases are valid at once; a third is not; the place of the one that fitted is told."""
    rule = Rule(names=parameters.SHA_OUT, algorithm=Algorithm.SHA512)
    values = {"PAYID": b"1", "STATUS": b"8"}
    given_old, given_new, given_other = (signature.digest(values, p, rule) for p in ("old", "new", "other"))

    assert signature.verify(values, given_new, ["new", "old"], rule).passphrase == 0
    assert signature.verify(values, given_old, ["new", "old"], rule).passphrase == 1
    assert not signature.verify(values, given_other, ["new", "old"], rule).ok


@pytest.mark.parametrize("signed", list(Charset))
@pytest.mark.parametrize("sent", list(Charset))
def test_accents_both_ways(signed: Charset, sent: Charset) -> None:
    """Signed in one encoding and sent in another is the same text: accepted. Another text is not."""
    rule = Rule(names=parameters.SHA_OUT, charset=Charset.LATIN1)
    data = "CN=Zoé Müller/".encode(signed.value)
    given = hashlib.sha1(data, usedforsecurity=False).hexdigest()

    assert signature.verify({"CN": "Zoé Müller".encode(sent.value)}, given, ["/"], rule).ok
    assert not signature.verify({"CN": "Zoe Müller".encode(sent.value)}, given, ["/"], rule).ok


def test_accented_passphrase() -> None:
    """A passphrase with an accent counts in either encoding."""
    rule = Rule(names=parameters.SHA_OUT)
    for charset in Charset:
        given = hashlib.sha1("STATUS=8clé".encode(charset.value), usedforsecurity=False).hexdigest()
        assert signature.verify({"STATUS": b"8"}, given, ["clé"], rule).ok


def test_what_cannot_be_written_is_refused() -> None:
    """A character outside ISO-8859-1 is named by its parameter, not sent as something else."""
    with pytest.raises(Rejected) as caught:
        signature.sign({"CN": "Łukasz"}, "p", Rule(names=parameters.SHA_IN))

    assert caught.value.field == "CN"


FIELDS = {"ORDERID": b"12", "AMOUNT": b"15", "CURRENCY": b"EUR", "PAYID": b"1", "PAYIDSUB": b"2", "STATUS": b"8", "FOO": b"bar"}


@pytest.mark.parametrize(
    ("signed", "differs"),
    [
        pytest.param({n: v for n, v in FIELDS.items() if n not in ("PAYIDSUB", "FOO")}, "PAYIDSUB", id="ours is newer"),
        pytest.param(FIELDS, "FOO", id="theirs is newer"),
        pytest.param({**FIELDS, "AMOUNT": b"15.00", "FOO": b""}, "AMOUNT", id="amount re-written"),
        pytest.param({**FIELDS, "AMOUNT": b"1500", "FOO": b""}, "", id="amount changed"),
    ],
)
def test_a_failure_names_the_parameter(signed: dict[str, bytes], differs: str) -> None:
    """List drift and re-written values are named; the passphrase and the right signature never are."""
    rule = Rule(names=parameters.SHA_OUT)
    given = signature.digest(signed, "secret", Rule(names=None))
    verdict = signature.verify(FIELDS, given, ["secret"], rule)

    assert not verdict.ok
    assert verdict.differs == differs
    assert "secret" not in verdict.reason
    assert signature.digest(FIELDS, "secret", rule) not in verdict.reason


def test_a_failure_names_the_algorithm() -> None:
    """An account that was moved to another hash is told apart from a forged signature."""
    given = signature.digest(FIELDS, "secret", Rule(names=parameters.SHA_OUT, algorithm=Algorithm.SHA256))
    verdict = signature.verify(FIELDS, given, ["secret"], Rule(names=parameters.SHA_OUT))

    assert (verdict.ok, verdict.differs) == (False, "SHASIGN")
    assert "sha256" in verdict.reason


def test_explaining_is_bounded() -> None:
    """A forgery with all the parameters that a form may have costs whoever checks it a moment, not a pause."""
    values = {f"X{n}": b"v" * 300 for n in range(190)} | {"STATUS": b"8", "CN": b"\xe9"}
    started = time.process_time()

    assert not signature.verify(values, "0" * 40, ["a", "b"], Rule(names=parameters.SHA_OUT)).ok
    assert time.process_time() - started < 0.5


@given(
    st.dictionaries(st.sampled_from(parameters.SHA_OUT), st.text(st.characters(codec="iso-8859-1"), min_size=1), min_size=1),
    st.sampled_from(list(Algorithm)),
)
def test_signed_is_verified_and_changed_is_not(fields: dict[str, str], algorithm: Algorithm) -> None:
    """Whatever is signed verifies; with any value changed it does not."""
    rule = Rule(names=parameters.SHA_OUT, algorithm=algorithm)
    given = signature.sign(fields, "p", rule)
    values = signature.encoded(fields, Charset.LATIN1)

    assert signature.verify(values, given, ["q", "p"], rule).passphrase == 1
    for name in sorted(values)[:3]:
        assert not signature.verify({**values, name: values[name] + b"0"}, given, ["p"], rule).ok
