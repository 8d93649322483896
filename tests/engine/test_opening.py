"""Card data on the envelope and around it: removed before anybody stores or logs it (X-10)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.opening import MAX_BODY, open_envelope, without_cards
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


def test_all_attributes_that_held_one_are_named() -> None:
    """In order of their names."""
    assert open_envelope(binary(tenant=PAN, subject=PAN)).scrubbed == ("ce-subject", "ce-tenant")


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


STRUCTURED = "application/cloudevents+json"


@pytest.mark.parametrize(
    ("came", "said"),
    [
        pytest.param(Arrival(door="test", body=b" " * (MAX_BODY + 1)), ("too_large", "data", str(MAX_BODY + 1)), id="too large"),
        pytest.param(Arrival(door="test", body=b"{", content_type=STRUCTURED), ("undecodable", "data", ""), id="cut off"),
        pytest.param(Arrival(door="test", body=b"[]", content_type=STRUCTURED), ("undecodable", "data", ""), id="a list"),
        pytest.param(Arrival(door="test", body=b"", attributes=WORN), ("undecodable", "data", ""), id="nothing said"),
        pytest.param(
            Arrival(door="test", body=msgspec.json.encode(WORN), content_type=STRUCTURED), ("undecodable", "data", ""), id="no data"
        ),
        pytest.param(binary(id=""), ("undecodable", "id", ""), id="no id"),
        pytest.param(binary(type="x" * 121), ("undecodable", "type", "x" * 121), id="a long type"),
        pytest.param(structured(id=7), ("undecodable", "id", "7"), id="an id that is no text"),
        pytest.param(binary(specversion="0.3"), ("unknown_specversion", "specversion", "0.3"), id="another version"),
        pytest.param(structured(specversion="0.3"), ("unknown_specversion", "specversion", "0.3"), id="another version inside"),
    ],
)  # fmt: skip
def test_an_envelope_that_is_none_is_named(came: Arrival, said: tuple[str, str, str]) -> None:
    """What is wrong, in which attribute, and what stood there."""
    with pytest.raises(Undecodable) as refused:
        open_envelope(came)

    assert (refused.value.code, refused.value.field, refused.value.value) == said


def test_as_much_as_is_taken_is_taken() -> None:
    """The largest body is one."""
    body = b" " * MAX_BODY

    assert open_envelope(Arrival(door="test", body=body, attributes=WORN)).data == body


@pytest.mark.parametrize("content_type", [STRUCTURED, "Application/CloudEvents+JSON ; charset=utf-8"])
def test_both_modes_say_the_same(content_type: str) -> None:
    """Attributes apart from the data, or around them."""
    said = {**WORN, "subject": "A", "time": "2026-05-01T08:00:00Z", "correlationid": "c-1"}
    body = msgspec.json.encode({**said, "data": {"x": 1}})
    inside = open_envelope(Arrival(door="test", body=body, content_type=content_type))
    apart = open_envelope(Arrival(door="test", body=b'{"x":1}', content_type="application/json", attributes=said))

    assert {name: getattr(inside.envelope, name) for name in Envelope.__struct_fields__} == {
        name: getattr(apart.envelope, name) for name in Envelope.__struct_fields__
    }
    assert (inside.data, inside.scrubbed, inside.clean) == (b'{"x":1}', (), True)
    assert (apart.data, apart.scrubbed, apart.clean) == (b'{"x":1}', (), False)


@pytest.mark.parametrize(
    ("data", "left", "paths"),
    [
        pytest.param(b'{"a": 1}', b'{"a": 1}', (), id="nothing odd stays as it was written"),
        pytest.param(b'{"a":{"note":"%s"}}' % PAN.encode(), None, ("a.note",), id="a number in a text"),
        pytest.param(b"%s{" % PAN.encode(), b"%s{" % PAN.encode(), (), id="no JSON: refused a moment later"),
    ],
)
def test_data_without_cards(data: bytes, left: bytes | None, paths: tuple[str, ...]) -> None:
    """What was taken out, and where it stood."""
    clean, found = without_cards(data)

    assert found == paths
    assert clean == left if left is not None else PAN.encode() not in clean


@pytest.mark.parametrize("depth", [600, 2_000, 200_000])
def test_what_is_too_deep_to_be_searched_is_refused(depth: int) -> None:
    """Depth somewhere hides no card elsewhere."""
    data = b'{"proof":"%s","x":%s%s}' % (PAN.encode(), b"[" * depth, b"]" * depth)

    with pytest.raises(Undecodable) as refused:
        without_cards(data)

    assert (refused.value.code, refused.value.field) == ("too_deep", "data")


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_an_operators_word_wants_an_operators_door(name: str) -> None:
    """A queue is for booking systems unless the configuration says otherwise; what came all the same is kept."""
    box = Sandbox()
    said = {
        "subject": "x",
        "notice": "n",
        "result": "refused",
        "reason": "r",
        "provider": "ogone",
        "merchant": "azur",
        "order": "O-1",
    }
    storm = {"event": "storm", "area": "cote-d-azur", "from": "2026-07-24", "to": "2026-07-26"}
    balance = {"folio": "B-1", "amount": 1, "until": "2026-07-05"} if name.startswith("balance.") else {}
    word = arrival("w-1", name, said | storm | balance)

    (refused,) = box.append(msgspec.structs.replace(word, operator=False))
    (taken,) = box.append(word)

    assert (refused.taken, refused.code) == (Taken.DEAD, "forbidden_type")
    assert taken.taken is Taken.ACCEPTED


def test_what_a_door_gave_up_on_keeps_its_name() -> None:
    """The id that the sender put on the envelope finds the letter again."""
    box = Sandbox()
    came = Arrival(door="test", body=b"{", attributes={"id": "m-7"})

    receipt = box.hub.intake.keep(came, "azur", Undecodable("cut off", field="data"))

    assert (receipt.taken, receipt.id) == (Taken.DEAD, "m-7")


def test_x_11_who_names_no_person_is_sealed_under_the_stay() -> None:
    """By the folio's name, or by the reference under which the folio is looked for."""
    box = Sandbox()
    guest = {"name": "Ada"}
    box.append(arrival("b-1", "booking.confirmed", booking("B-1", guest=guest)))
    box.append(arrival("b-2", "booking.confirmed", booking("", references=["R-2"], guest=guest)))

    assert [row["subject"] for row in box.rows("SELECT subject FROM subject_key ORDER BY subject")] == [
        "folio:B-1", "folio:pms:thais=R-2"
    ]  # fmt: skip


def test_a_door_whose_tenant_is_gone_stops_nobody() -> None:
    """Its key still opens; what it brings is kept as nobody's, and the lanes go on."""
    box = Sandbox()
    event = structured(tenant="gone")

    taken = box.append(msgspec.structs.replace(event, tenants=frozenset({"gone"})), arrival("b-1", "booking.confirmed", booking()))
    told = [name for name, _ in box.drain()]

    assert [(one.taken, one.code) for one in taken] == [(Taken.DEAD, "unknown_tenant"), (Taken.ACCEPTED, "")]
    assert "booking.accepted" in told
