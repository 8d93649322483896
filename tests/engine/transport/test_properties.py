"""A message as AMQP carries it, to the last property, and attributes in their canonical text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from engine.transport.amqp.cloudevents import PREFIXES, bare, properties_of, short, text
from engine.transport.contract import Outgoing
from schemas.errors import Rejected


def outgoing(**attributes: str) -> Outgoing:
    return Outgoing(row=1, topic="foliohub.booking.v1", key="A", attributes=attributes, body=b"{}")


def test_what_a_message_wears() -> None:
    """Attributes under the prefix, id and type as AMQP's own too, durable, with our name."""
    said = properties_of(outgoing(id="i-1", type="foliohub.booking.accepted.v1", tenant="azur", datacontenttype="application/json"))
    prefix = PREFIXES[0]

    assert {name: said[name] for name in ("delivery_mode", "content_type", "app_id", "message_id", "type")} == {
        "delivery_mode": 2, "content_type": "application/json", "app_id": "foliohub", "message_id": "i-1",
        "type": "foliohub.booking.accepted.v1",
    }  # fmt: skip
    headers = said["application_headers"]
    assert headers[f"{prefix}id"] == "i-1"
    assert headers[f"{prefix}specversion"] == "1.0"
    assert f"{prefix}datacontenttype" not in headers
    assert "azur" in (headers.get("tenant"), headers.get(f"{prefix}tenant"))


def test_what_it_has_not_is_not_there() -> None:
    """Neither an empty id nor an empty type; JSON where nothing is said."""
    said = properties_of(outgoing(id="", source="x"))

    assert "message_id" not in said
    assert "type" not in said
    assert said["content_type"] == "application/json"
    assert properties_of(outgoing(datacontenttype="application/xml"))["content_type"] == "application/xml"
    assert properties_of(outgoing(specversion="1.1"))["application_headers"][f"{PREFIXES[0]}specversion"] == "1.1"


@pytest.mark.parametrize("attributes", [{"id": "x" * 256}, {"type": "é" * 128}, {"datacontenttype": "x" * 256}, {"x" * 250: "y"}])
def test_what_amqp_cannot_carry(attributes: dict[str, str]) -> None:
    """255 bytes is its longest word; a value in a header may be longer."""
    with pytest.raises(Rejected) as wrong:
        properties_of(outgoing(**attributes))

    assert (wrong.value.code, wrong.value.field) == ("amqp_too_long", "property")
    assert short("x" * 255, field="property") == "x" * 255
    properties_of(outgoing(source="x" * 400))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        ("plain", "plain"),
        (datetime(2026, 5, 1, 8), "2026-05-01T08:00:00Z"),
        (datetime(2026, 5, 1, 8, tzinfo=UTC), "2026-05-01T08:00:00Z"),
        (datetime(2026, 5, 1, 10, tzinfo=timezone(timedelta(hours=2))), "2026-05-01T08:00:00Z"),
        ("é".encode(), "é"),
        (bytearray(b"\xff\xfe"), "//4="),
        (memoryview(b"ab"), "ab"),
        ("\ud800", "\\ud800"),
    ],
)
def test_the_canonical_text_of_an_attribute(value: object, said: str) -> None:
    """As CloudEvents writes its types; bytes that are no text in base64; what no store takes as its escape."""
    assert text(value) == said


@pytest.mark.parametrize(
    ("given", "said"), [("application/JSON; charset=utf-8", "application/json"), (" text/xml ", "text/xml"), ("", "")]
)
def test_a_content_type_without_parameters(given: str, said: str) -> None:
    """In lower case."""
    assert bare(given) == said
