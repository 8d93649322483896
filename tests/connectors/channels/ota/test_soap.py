"""The envelope: taken off in either version, put on again, and never two meanings."""

from __future__ import annotations

import pytest
from lxml import etree

from connectors.channels.ota.codec import decode
from connectors.channels.ota.document import open_message
from connectors.channels.ota.soap import SOAP_11, SOAP_12, Credentials, Wrapping, wrap
from schemas.errors import Undecodable
from tests.connectors.channels.ota.golden import PROFILE, body

OTA = '<OTA_CancelRQ xmlns="http://www.opentravel.org/OTA/2003/05" CancelType="Cancel"><UniqueID Type="14" ID="{}"/></OTA_CancelRQ>'


def envelope(*inside: str, header: str = "", namespace: str = SOAP_11) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}">{header}<s:Body>{"".join(inside)}</s:Body></s:Envelope>'.encode()


@pytest.mark.parametrize("namespace", [SOAP_11, SOAP_12])
def test_unwrapped(namespace: str) -> None:
    """Both versions."""
    decoded = decode(envelope(OTA.format("X1"), namespace=namespace), PROFILE)

    assert decoded.items[0].reference == "X1"
    assert decoded.head.wrapping.version == ("1.1" if namespace == SOAP_11 else "1.2")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(envelope(), id="nothing"),
        pytest.param(envelope(OTA.format("X1"), OTA.format("X2")), id="two messages"),
        pytest.param(
            envelope(OTA.format("X1")).replace(
                b"</s:Envelope>", b"<s:Body>" + OTA.format("X2").encode() + b"</s:Body></s:Envelope>"
            ),
            id="two bodies",
        ),
        pytest.param(f'<s:Envelope xmlns:s="{SOAP_11}"/>'.encode(), id="no body"),
    ],
)
def test_one_body_one_message(data: bytes) -> None:
    """What was meant may not be a matter of choice."""
    with pytest.raises(Undecodable) as refused:
        open_message(data, PROFILE)

    assert refused.value.code == "soap_body"


@pytest.mark.parametrize(
    ("case", "username", "password"),
    [
        pytest.param("own/two-rooms-htng", "demo-channel", "not-a-real-secret", id="WSSE UsernameToken"),
        pytest.param("concur/cancel", "user", "password", id="a vendor's header"),
        pytest.param("weekendesk/cancel", "user", "password", id="POS/RequestorID"),
    ],
)
def test_credentials(case: str, username: str, password: str) -> None:
    """Handed on before anything is read, and shown nowhere."""
    head = open_message(body(case), PROFILE)

    assert head.credentials is not None
    assert (head.credentials.username, head.credentials.password, head.credentials.kind) == (username, password, "text")
    assert f"{password}'" not in repr(head)


def test_password_digest() -> None:
    """WS-Security digest: with what is needed to check it."""
    token = (
        "<w:UsernameToken><w:Username>u</w:Username><w:Password Type='x#PasswordDigest'>d=</w:Password><w:Nonce>n</w:Nonce>"
        "<w:Created>c</w:Created></w:UsernameToken>"
    )
    header = f"<s:Header><w:Security xmlns:w='urn:w'>{token}</w:Security></s:Header>"

    head = open_message(envelope(OTA.format("X1"), header=header), PROFILE)

    found = head.credentials
    assert found is not None
    assert (found.username, found.password, found.kind, found.nonce, found.created) == ("u", "d=", "digest", "n", "c")


def test_no_credentials() -> None:
    """A message may come without: the gateway's key then decides."""
    assert open_message(OTA.format("X1").encode(), PROFILE).credentials is None


def test_answer_refers_to_the_question() -> None:
    """RelatesTo and CorrelationID come back."""
    head = open_message(body("own/two-rooms-htng"), PROFILE)
    root = etree.fromstring(wrap(etree.Element("x"), head.wrapping))

    assert root.findtext("{*}Header/{*}RelatesTo") == "urn:uuid:7c1d1f0e-0000-4000-8000-000000000001"
    assert root.findtext("{*}Header/{*}CorrelationID") == "corr-77"
    assert wrap(etree.Element("x"), Wrapping()) == b"<?xml version='1.0' encoding='UTF-8'?>\n<x/>"


def test_repr_hides_the_secret() -> None:
    """Also when somebody logs it."""
    assert repr(Credentials("u", "hush")) == "Credentials('u', …)"
