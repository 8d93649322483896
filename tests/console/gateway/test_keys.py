"""Who may ask what: no key, a wrong one, one for another door, one that was revoked."""

from __future__ import annotations

import json

import pytest

from engine.keys import DoorKeys
from tests.console.gateway.world import STRUCTURED, World, event

DOORS = {
    ("GET", "/messages?source=a&id=b"): {"azur", "reader", "operator"},
    ("POST", "/messages"): {"azur", "operator"},
    ("GET", "/folios/none"): {"reader", "operator"},
    ("GET", "/outcomes"): {"reader", "operator"},
    ("GET", "/balance-requests"): {"reader", "operator"},
    ("GET", "/vouchers"): {"reader", "operator"},
}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: " ".join(door))
@pytest.mark.parametrize("text", ["", "fhk_000000000000_" + "0" * 64, "secret", "é"])
def test_without_a_key_there_is_nothing(hub: World, door: tuple[str, str], text: str) -> None:
    """401, the same for every kind of wrong key, and how to give one."""
    headers = {"authorization": f"Bearer {text}".encode()} if text else {}
    got = hub.session.request(*(door[0], hub.url(door[1])), headers=headers)

    assert (got.status_code, got.json()["code"]) == (401, "unauthenticated")
    assert got.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("door", DOORS, ids=lambda door: " ".join(door))
@pytest.mark.parametrize("key", ["azur", "reader", "operator", "channel"])
def test_each_key_opens_its_own_doors(hub: World, door: tuple[str, str], key: str) -> None:
    got = hub.session.request(door[0], hub.url(door[1]), headers={"x-api-key": hub.keys[key]})

    assert (got.status_code != 403) is (key in DOORS[door])


@pytest.mark.parametrize(
    "name",
    [
        "payouts.stop",
        "person.forget",
        "approval.grant",
        "dead_letter.discard",
        "provider.notified",
        "force_majeure.declare",
        "balance.set_amount",
    ],
)
def test_an_operators_word_wants_an_operators_key(hub: World, name: str) -> None:
    """Neither mode lets a sender's key through; nothing is stored of it."""
    message = event(f"K-{name}", name, subject="p-1", folio="K")
    structured = hub.send(message)
    headers = {f"ce-{field}": str(value) for field, value in message.items() if field != "data"}
    binary = hub.post("/messages", json.dumps(message["data"]), "application/json", **headers)

    for got in (structured, binary):
        assert (got.status_code, got.json()["code"]) == (403, "forbidden_type")
    assert hub.get(f"/messages?source=pms.thais&id=K-{name}").status_code == 404


def test_an_operator_may(hub: World) -> None:
    got = hub.send(event("K-1", "payouts.start", reason="tried"), key="operator")

    assert got.status_code == 200
    assert got.json()["outcomes"][0]["type"] == "foliohub.payouts.started.v1"


def test_revoked_is_closed(hub: World) -> None:
    """Within a second for keys that another process revokes, at once for our own."""
    keys = DoorKeys(hub.hub.database, hub.hub.clock)
    key, text = keys.add("azur", "read")
    headers = {"authorization": f"Bearer {text}"}
    assert hub.session.get(hub.url("/outcomes"), headers=headers).status_code == 200

    keys.revoke(key.id)
    hub.gateway._desk.keys._seen.clear()  # the second goes by

    assert hub.session.get(hub.url("/outcomes"), headers=headers).status_code == 401


def test_the_key_is_never_repeated(hub: World) -> None:
    """Neither in an answer nor in the store."""
    got = hub.post("/messages", "{", STRUCTURED)

    secret = hub.keys["azur"].rpartition("_")[2]
    assert secret not in got.text
    assert secret.encode() not in hub.everything_stored()
