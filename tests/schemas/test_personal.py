"""X-11: which fields are about a person, found from their mark."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from schemas.booking import Booking, Guest
from schemas.cancellation import CancellationRequest
from schemas.common import Actor, ActorKind, Personal
from schemas.errors import Undecodable
from schemas.payment import Payment
from schemas.personal import (
    PersonalField,
    is_reference,
    is_unshown,
    personal_fields,
    personal_texts,
    replace_personal,
    with_texts,
)
from schemas.registry import IN, INTERNAL, OUT, decode_data


class Pet(msgspec.Struct):
    name: Personal
    tag: str = ""


class Household(msgspec.Struct):
    person: str
    note: Personal
    pets: list[Pet]
    by_room: dict[str, Pet]
    aliases: tuple[Personal, ...] = ()
    size: Annotated[int, msgspec.Meta(ge=1)] = 1
    parent: Household | None = None


def test_a_booking_has_a_guest_and_a_payer() -> None:
    """Their names, addresses and numbers, with the person whose key seals them."""
    found = personal_fields(Booking)

    assert {("guest", x) for x in ("name", "email", "phone", "address")} | {
        ("payer", x) for x in ("name", "email", "phone", "address")
    } == {field.path for field in found}
    assert {("guest", "person"), ("payer", "person")} == {field.subject for field in found}


def test_a_payment_has_none() -> None:
    """Amounts and references are not about a person."""
    assert personal_fields(Payment) == ()


def test_wherever_they_are_nested() -> None:
    """In lists, maps, tuples and optional structs; a struct that holds itself ends the walk."""
    assert (
        PersonalField(("note",), ("person",)),
        PersonalField(("pets", "[]", "name")),
        PersonalField(("by_room", "[]", "name")),
        PersonalField(("aliases", "[]"), ("person",)),
    ) == personal_fields(Household)


def test_facts_and_internal_messages_have_none() -> None:
    """What the hub says and stores unsealed names nobody."""
    assert [name for name, kind in (*OUT.items(), *INTERNAL.items()) if personal_fields(kind)] == []
    assert {"booking.requested", "booking.confirmed", "booking.changed", "cancellation.request", "notice.bounced"} == {
        name for name, kind in IN.items() if personal_fields(kind)
    }


@pytest.mark.parametrize(
    ("path", "unshown"),
    [
        ("guest.name", True),
        ("guest", True),
        ("payer.email", True),
        ("guest.name.x", True),
        ("guest.person", True),
        ("property", False),
        ("lines[0].price", False),
    ],
)
def test_paths_as_errors_write_them(path: str, unshown: bool) -> None:
    """A wrong value there, or in the whole of which it is a part, is not shown."""
    assert unshown is is_unshown(Booking, path)


@pytest.mark.parametrize(
    ("name", "field"), [("voucher.enter", "number"), ("voucher.check", "number"), ("voucher.register", "holder")]
)
def test_x_10_x_11_what_is_worth_money_or_says_who_is_not_told(name: str, field: str) -> None:
    """A number or a person that is too long is named by its field alone: the outcome shows no value."""
    secret = "7KQM2X9R4TBW" * 30
    data = {
        "actor": {"kind": "guest"},
        "folio": "B-1",
        "number": "N",
        "amount": 1,
        "verdict": "accepted",
        "value": 1,
        field: secret,
    }
    with pytest.raises(Undecodable) as caught:
        decode_data(name, msgspec.json.encode(data))

    assert (caught.value.field, caught.value.value) == (field, "")
    assert secret[:12] not in str(caught.value)


def test_replace() -> None:
    """Each text goes through `change` once, with its subject; all else stays, and the original too."""
    data = {
        "person": "p1",
        "note": "quiet",
        "pets": [{"name": "Rex", "tag": "t"}, {"name": ""}],
        "by_room": {"1": {"name": "Tom"}},
        "aliases": ["A"],
        "extra": {"name": "stays"},
    }
    before = msgspec.json.encode(data)
    changed = replace_personal(Household, data, lambda subject, text: f"<{subject}:{text}>")

    assert changed["note"] == "<p1:quiet>"
    assert changed["pets"] == [{"name": "<:Rex>", "tag": "t"}, {"name": ""}]
    assert changed["by_room"] == {"1": {"name": "<:Tom>"}}
    assert changed["extra"] == {"name": "stays"}
    assert before == msgspec.json.encode(data)


@pytest.mark.parametrize("data", [{}, {"guest": None}, {"guest": []}, {"guest": {"name": 5}}, None, "text"])
def test_replace_leaves_what_does_not_fit(data: object) -> None:
    """Undecodable data is not made worse."""
    assert data == replace_personal(Booking, data, lambda subject, text: "sealed")


NESTED = Household(
    person="p1", note="quiet", pets=[Pet(name="Rex", tag="t"), Pet(name="")], by_room={"1": Pet(name="Tom")}, aliases=("A", ""),
    parent=Household(person="p2", note="not looked at", pets=[], by_room={}),
)  # fmt: skip
GUESTS = msgspec.convert(
    {
        "actor": {"kind": "system"}, "property": "p", "currency": "EUR", "lines": [{"line": "1", "price": 1}],
        "guest": {"person": "p1", "name": "Ada", "phone": "1"}, "payer": {"email": "b@example.org"},
    },
    Booking,
)  # fmt: skip
NOBODY = msgspec.structs.replace(GUESTS, guest=Guest(), payer=None)


def cancelling(proof: str) -> CancellationRequest:
    return CancellationRequest(actor=Actor(kind=ActorKind.GUEST, id="g"), request="R1", proof=proof)


@pytest.mark.parametrize(
    "message",
    [NESTED, GUESTS, NOBODY, cancelling("dossier-17"), cancelling("I am ill"), cancelling("")],
    ids=["nested", "guests", "nobody", "a reference", "a proof itself", "no proof"],
)
def test_a_message_and_its_json_say_the_same(message: msgspec.Struct) -> None:
    """Texts of a struct are found, and replaced one after the other, as in its JSON; the original stays."""
    before = msgspec.json.encode(message)
    met: list[tuple[str, str]] = []

    def change(subject: str, text: str) -> str:
        met.append((subject, text))
        return f"<{subject}:{text}>"

    replaced = replace_personal(type(message), msgspec.json.decode(before), change)
    found = personal_texts(message)
    filled = with_texts(message, (f"<{subject}:{text}>" for subject, text in found))

    assert sorted(found) == sorted(met)
    assert msgspec.json.decode(msgspec.json.encode(filled)) == replaced
    assert before == msgspec.json.encode(message)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("dossier-17", True),
        ("https://files.example/certificates/a", True),
        ("certificat-2026-07-21-müller.pdf", True),
        ("s3://proofs/x", True),
        ("9" * 200, True),
        ("9" * 201, False),
        ("pneumonia", False),
        ("ill since 3 July", False),
        ("dossier 17", False),
        ("dossier-17\n", False),
        ("data:text/plain;base64,SSBhbSBpbGw=1", False),
        ("sealed:1:abc", False),
        ("", False),
    ],
)
def test_x_26_what_is_a_reference_to_a_proof(text: str, reference: bool) -> None:
    """It says where the proof is kept and holds nothing of it; what is none is met by whoever seals."""
    assert is_reference(text) is reference
    assert personal_texts(cancelling(text)) == ([("", text)] if text and not reference else [])
