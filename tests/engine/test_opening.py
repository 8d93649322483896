"""Card data on the envelope and around it: removed before anybody stores or logs it (X-10)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.opening import open_envelope, without_cards
from engine.transport.contract import Arrival, Taken
from schemas.envelope import Envelope
from schemas.errors import Undecodable
from schemas.registry import OPERATORS
from tests.engine.sandbox import Sandbox, arrival, booking

PAN = "4111111111111111"
WORN = {"specversion": "1.0", "id": "m-1", "source": "pms", "type": "foliohub.booking.confirmed.v1", "tenant": "azur"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def binary(**attributes: str) -> Arrival:
    return Arrival(door="test", body=b"{}", attributes={**WORN, **attributes})


def structured(**attributes: Any) -> Arrival:
    body = msgspec.json.encode({**WORN, **attributes, "data": {}})
    return Arrival(door="test", body=body, content_type="application/cloudevents+json")


@pytest.mark.parametrize("made", [binary, structured])
@pytest.mark.parametrize("name", ["source", "type", "tenant", "subject", "dataschema"])
def test_an_attribute_holds_no_card(made: Any, name: str) -> None:
    """In either mode; the sender hears which attribute it was."""
    opened = open_envelope(made(**{name: f"of {PAN}"}))

    assert PAN not in str(opened.envelope)
    assert opened.scrubbed == (f"ce-{name}",)


@pytest.mark.parametrize("name", ["specversion", "time"])
def test_a_refusal_quotes_no_card(name: str) -> None:
    with pytest.raises(Undecodable) as refused:
        open_envelope(binary(**{name: "4111 1111 1111 1111"}))

    assert "1111" not in f"{refused.value.message} {refused.value.value}"


def test_ids_are_references_and_stay() -> None:
    """A number that looks like a card identifies a message all the same."""
    opened = open_envelope(binary(id=PAN, correlationid=PAN))

    assert (opened.envelope.id, opened.envelope.correlationid, opened.scrubbed) == (PAN, PAN, ())


@pytest.mark.parametrize(
    ("given", "kept"), [(TRACE, TRACE), (f"t {PAN}", ""), (PAN, ""), (f"{TRACE}-later", f"{TRACE}-later"), ("", "")]
)
def test_a_trace_that_is_none_is_ignored(given: str, kept: str) -> None:
    assert open_envelope(binary(traceparent=given)).envelope.traceparent == kept


ODD: list[dict[str, Any]] = [
    {}, {"time": "2026-05-01T08:00:00.5+02:00"}, {"time": ""}, {"subject": ""}, {"tenant": ""}, {"specversion": ""},
    {"specversion": "0.3"}, {"traceparent": TRACE}, {"traceparent": "none"}, {"traceparent": "x" * 300}, {"source": f"of {PAN}"},
    {"source": "é" * 200}, {"correlationid": PAN}, {"dataschema": "cvc 123"}, {"type": "x" * 121},
]  # fmt: skip
ODDER: list[dict[str, Any]] = [{"time": None}, {"subject": None}, {"id": 7}]


@pytest.mark.parametrize(
    ("made", "odd"), [(made, odd) for made in (binary, structured) for odd in ODD] + [(structured, odd) for odd in ODDER]
)
def test_one_that_looks_odd_is_read_as_any_other(made: Any, odd: dict[str, Any]) -> None:
    """What is beside the attributes that count, and looks like a code, makes the hub look closer: with the same result."""

    def read(**beside: str) -> object:
        try:
            envelope, data, scrubbed, _ = open_envelope(made(**odd, **beside))
        except Undecodable as refused:
            return (refused.message, refused.code, refused.field, refused.value)
        return ({name: getattr(envelope, name) for name in Envelope.__struct_fields__}, data, set(scrubbed) - {"ce-beside"})

    assert read() == read(beside="cvc 123")


def test_no_name_of_an_attribute_is_passed_over_unread() -> None:
    """Not even of one that does not count."""
    event = msgspec.json.encode({**WORN, "beside": "x", "data": {}}).replace(b"beside", b"b\x9aside")

    with pytest.raises(Undecodable, match="not a CloudEvents JSON object"):
        open_envelope(Arrival(door="test", body=event, content_type="application/cloudevents+json"))


@pytest.mark.parametrize("depth", [600, 2_000, 200_000])
def test_what_is_too_deep_to_be_searched_is_refused(depth: int) -> None:
    """Depth somewhere hides no card elsewhere."""
    data = b'{"proof":"%s","x":%s%s}' % (PAN.encode(), b"[" * depth, b"]" * depth)

    with pytest.raises(Undecodable) as refused:
        without_cards(data)

    assert refused.value.code == "too_deep"


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_an_operators_word_wants_an_operators_door(name: str) -> None:
    """A queue is for booking systems unless the configuration says otherwise; what came all the same is kept."""
    box = Sandbox()
    word = arrival(
        "w-1", name, {"subject": "x", "result": "refused", "reason": "r", "provider": "ogone", "merchant": "azur", "order": "O-1"}
    )

    (refused,) = box.append(msgspec.structs.replace(word, operator=False))
    (taken,) = box.append(word)

    assert (refused.taken, refused.code) == (Taken.DEAD, "forbidden_type")
    assert taken.taken is Taken.ACCEPTED


def test_a_door_whose_tenant_is_gone_stops_nobody() -> None:
    """Its key still opens; what it brings is kept as nobody's, and the lanes go on."""
    box = Sandbox()
    event = structured(tenant="gone")

    taken = box.append(msgspec.structs.replace(event, tenants=frozenset({"gone"})), arrival("b-1", "booking.confirmed", booking()))
    told = [name for name, _ in box.drain()]

    assert [(one.taken, one.code) for one in taken] == [(Taken.DEAD, "unknown_tenant"), (Taken.ACCEPTED, "")]
    assert "booking.accepted" in told
