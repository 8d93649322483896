"""CloudEvents in AMQP properties: every spelling that senders use, and nothing that a store could not take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from amqp import Message, spec
from amqp.serialization import PROPERTY_CLASSES
from hypothesis import given
from hypothesis import strategies as st

from engine.transport.amqp.cloudevents import arrival, attributes, bare, properties_of, text
from engine.transport.amqp.link import RAW_PROPERTIES, checked, place
from engine.transport.amqp.publisher import tenant_and_topic
from engine.transport.amqp.topology import AmqpQueue, arguments_of
from engine.transport.contract import Outgoing
from schemas.errors import HubError, Rejected

OUT = Outgoing(
    row=1,
    topic="foliohub.refund.v1",
    key="B-1",
    attributes={
        "id": "m-1",
        "source": "foliohub",
        "type": "foliohub.refund.decided.v1",
        "tenant": "azur",
        "traceparent": "00-a-b-01",
    },
    body=b"{}",
)


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_", "ce-", "ce_"])
def test_every_prefix(prefix: str) -> None:
    """Bridges between protocols leave their own prefix behind."""
    headers = {f"{prefix}id": "m-1", f"{prefix}Source": "pms.thais", "traceparent": "00-a-b-01", "tracestate": "t=1", "other": "x"}

    assert attributes(headers) == {"id": "m-1", "source": "pms.thais", "traceparent": "00-a-b-01", "tracestate": "t=1"}


def test_the_specified_prefix_wins() -> None:
    """Two spellings of one attribute: the one of the specification counts, whatever their order."""
    assert attributes({"ce-id": "b", "cloudEvents:id": "a"}) == {"id": "a"}


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        (True, "true"),
        (-7, "-7"),
        (datetime(2026, 7, 20, 10, 0, 0), "2026-07-20T10:00:00Z"),
        (datetime(2026, 7, 20, 10, 0, 0, tzinfo=UTC), "2026-07-20T10:00:00Z"),
        (b"m-1", "m-1"),
        (b"\xff\xfe", "//4="),
        ("\ud800", "\\ud800"),
    ],
)
def test_attributes_are_text(value: object, canonical: str) -> None:
    """Typed header values in the canonical text of CloudEvents."""
    assert text(value) == canonical


@given(
    st.dictionaries(
        st.text(max_size=20).map(lambda name: "ce-" + name),
        st.one_of(st.text(st.characters()), st.binary(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())),
    ),
    st.binary(),
)
def test_any_header_can_be_stored(headers: dict[str, Any], body: bytes) -> None:
    """Whatever stands in the headers becomes text that UTF-8 can hold; the body is not touched."""
    taken, count = arrival({"application_headers": headers}, body, door="amqp:x")

    assert taken.body == body
    assert count == 0
    for name, value in taken.attributes.items():
        assert f"{name}{value}".encode().decode() == f"{name}{value}"


@given(st.binary(max_size=200))
def test_any_properties_can_be_read(raw: bytes) -> None:
    """The bytes of a delivery's properties never raise: unreadable ones arrive as they are, in hexadecimal."""
    properties, _ = PROPERTY_CLASSES[spec.Basic.CLASS_ID](b"\0" * 12 + raw, 12)
    taken, _ = arrival(properties, b"{}", door="amqp:x")

    assert taken.attributes.get(RAW_PROPERTIES, raw.hex()) == raw.hex()


def test_out_and_in_again() -> None:
    """What is published reads back as it was, `datacontenttype` as the content type."""
    written = Message(b"{}", **properties_of(OUT))._serialize_properties()
    properties, _ = PROPERTY_CLASSES[spec.Basic.CLASS_ID](written, 0)
    taken, _ = arrival(properties, OUT.body, door="amqp:x")

    assert taken.attributes == {"specversion": "1.0", **OUT.attributes}
    assert taken.content_type == "application/json"
    assert properties["delivery_mode"] == 2


def test_too_long_is_rejected() -> None:
    """AMQP's short strings end at 255 bytes, and umlauts count twice."""
    long = Outgoing(row=1, topic="t", key="k", attributes={**OUT.attributes, "id": "ü" * 128}, body=b"")
    with pytest.raises(Rejected, match="255"):
        properties_of(long)


def test_routing_key_starts_with_the_tenant() -> None:
    """So that a queue bound to one tenant sees nothing of another."""
    assert tenant_and_topic(OUT) == "azur.foliohub.refund.v1"


def test_content_type_without_parameters() -> None:
    assert bare("Application/CloudEvents+JSON ; charset=utf-8") == "application/cloudevents+json"


@pytest.mark.parametrize(("version", "limit"), [("3.10.8", None), ("3.13.0", None), ("4.0.1", -1), ("4.2.0-rc.1", -1), ("", None)])
def test_no_delivery_limit_on_any_server(version: str, limit: int | None) -> None:
    """3.x has none unless asked; 4.x has one of 20 unless told otherwise."""
    assert arguments_of(AmqpQueue(name="q"), {"version": version}).get("x-delivery-limit") == limit


@pytest.mark.parametrize("url", ["memory://", "filesystem://", "sqla+sqlite:///x", "redis://127.0.0.1"])
def test_only_amqp(url: str) -> None:
    """kombu's other transports lose what a crash leaves unacknowledged: never for money."""
    with pytest.raises(HubError, match="AMQP"):
        checked(url)


def test_no_password_in_the_place() -> None:
    assert place("amqp://hub:secret@broker.example:5673/v") == "broker.example:5673"
