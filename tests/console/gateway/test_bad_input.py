"""Everything of the issue's bad input that reaches POST /messages: a clear problem, nothing half done, the hub goes on."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from typing import Any

import pytest

from tests.console.gateway.world import STAY, STRUCTURED, World, event, payment

END = "9999-12-31T23:59:59Z"
CARD = "4111 1111 1111 1111"
V9 = "foliohub.booking.confirmed.v9"
INTERNAL = "foliohub.reply.arrived.v1"


def lines(**changes: Any) -> list[dict[str, Any]]:
    return [{**STAY["lines"][0], **changes}]  # type: ignore[index]  # STAY is a plain dictionary


@pytest.mark.parametrize(
    ("message", "code", "field", "value"),
    [
        pytest.param(event("C-1", lines=lines(price=120.0)), "undecodable", "lines[0].price", "120.0", id="float amount"),
        pytest.param(event("C-2", lines=lines(price="120.00")), "undecodable", "lines[0].price", "120.00", id="amount as text"),
        pytest.param(event("C-3", lines=lines(price=-1)), "undecodable", "lines[0].price", "-1", id="negative amount"),
        pytest.param(payment("C-4", "C-4", amount=12.345), "undecodable", "amount", "12.345", id="too many decimals"),
        pytest.param(payment("C-5", "C-5", amount=0), "undecodable", "amount", "0", id="a payment of nothing"),
        pytest.param(event("C-6", lines=lines(arrival="2026-02-30")), "undecodable", "lines[0].arrival", "2026-02-30", id="no such day"),
        pytest.param(event("C-7", booked_at="2026-05-01T10:00:00"), "undecodable", "booked_at", "2026-05-01T10:00:00", id="no offset"),
        pytest.param(event("C-8", booked_at="2026-05-01T25:00:00Z"), "undecodable", "booked_at", "2026-05-01T25:00:00Z", id="no such hour"),
        pytest.param(event("C-17", lines=lines(arrival="0001-01-01")), "undecodable", "lines[0].arrival", "0001-01-01", id="the first day"),
        pytest.param(event("C-18", booked_at=END), "undecodable", "booked_at", END, id="the last instant"),
        pytest.param({**event("C-19"), "time": END}, "undecodable", "time", END, id="sent at the last instant"),
        pytest.param(event("C-9", currency="EURO"), "undecodable", "currency", "EURO", id="no currency"),
        pytest.param(event("C-10", tenant="nobody"), "unknown_tenant", "tenant", "nobody", id="unknown tenant"),
        pytest.param({**event("C-11"), "type": V9}, "unknown_type", "type", V9, id="other version"),
        pytest.param({**event("C-12"), "type": INTERNAL}, "unknown_type", "type", INTERNAL, id="internal message"),
        pytest.param({**event("C-13"), "specversion": "0.3"}, "unknown_specversion", "specversion", "0.3", id="old CloudEvents"),
        pytest.param(event("x" * 65), "undecodable", "id", "x" * 65, id="long id"),
        pytest.param({k: v for k, v in event("C-14").items() if k != "source"}, "undecodable", "source", "", id="no source"),
        pytest.param({k: v for k, v in event("C-15").items() if k != "data"}, "undecodable", "data", "", id="no data"),
        pytest.param(event("C-16", folio=""), "undecodable", "folio", "", id="about no booking"),
    ],
)  # fmt: skip
def test_what_is_no_message(hub: World, message: dict[str, Any], code: str, field: str, value: str) -> None:
    """A problem with code, field, value and what to do; the bytes are kept, readable for an operator."""
    got = hub.send(message)

    told = got.json()
    assert got.status_code == (403 if code == "unknown_tenant" else 400)
    assert got.headers["content-type"] == "application/problem+json"
    assert (told["code"], told["field"], told["value"]) == (code, field, value)
    assert told["message"]
    letter = hub.dead_letter(told["dead_letter"])
    assert letter["opened"] == json.dumps(message).encode()
    assert (letter["why"], letter["status"], letter["reason"]) == ("undecodable", "open", told["message"])


def test_no_content_type(hub: World) -> None:
    """An event whose mode nobody names: the header that is missing is named, not an attribute that stands in the body. With its
    attributes beside it, it is JSON."""
    said = event("C-20")
    key = {"x-api-key": hub.keys["azur"]}
    alone = hub.session.post(hub.url("/messages"), data=json.dumps(said).encode(), headers=key)
    headers = {f"ce-{name}": str(value) for name, value in said.items() if name != "data"}
    beside = hub.session.post(hub.url("/messages"), data=json.dumps(said["data"]).encode(), headers={**key, **headers})

    assert (alone.status_code, alone.json()["code"], alone.json()["field"]) == (400, "undecodable", "content-type")
    assert "Content-Type is missing: application/cloudevents+json" in alone.json()["message"]
    assert hub.dead_letter(alone.json()["dead_letter"])["opened"] == json.dumps(said).encode()
    assert beside.status_code == 202


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param(event("D-1", currency="GBP", lines=lines()), "currency_mismatch", id="currency the policy does not know"),
        pytest.param(event("D-2", property="nowhere"), "unknown_property", id="unknown property"),
        pytest.param(event("D-3", lines=lines(terms="outdoor/nothing")), "unknown_terms", id="unknown terms"),
        pytest.param(event("D-4", "cancellation.request", folio="D-none", request="R"), "unknown_folio", id="unknown booking"),
    ],
)
def test_what_a_rule_refuses(hub: World, message: dict[str, Any], code: str) -> None:
    """Understood and not served: an outcome, no dead letter."""
    got = hub.send(message)

    assert got.status_code == 200
    (refused,) = got.json()["outcomes"]
    assert refused["type"].endswith(".refused.v1")
    assert refused["data"]["code"] == code
    assert refused["data"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe{\x00}\x00",
        b'{"specversion": "1.0", "id": "\xe9"}',
        b"[" * 100_000,
        b'{"id": 1e999}',
        b'{"specversion":"1.0","id":"' + b"a" * 100_000 + b'"}',
        b"null",
    ],
    ids=["empty", "text", "utf-16", "latin-1", "deep", "infinite", "long", "null"],
)
def test_bytes_that_are_no_event(hub: World, body: bytes) -> None:
    got = hub.post("/messages", body, STRUCTURED)

    assert got.status_code == 400
    assert hub.dead_letter(got.json()["dead_letter"])["opened"] == body


def test_a_card_number_is_removed_and_told(hub: World) -> None:
    """Scrubbed at the edge, counted, answered with a warning, never stored (X-10)."""
    message = event("E-1")
    message["data"]["guest"] = {**message["data"]["guest"], "comment": f"card {CARD} cvc 123"}
    message["data"]["lines"] = lines(accommodation_type=CARD)
    got = hub.send(message)

    assert got.status_code == 200, got.text
    assert "card data removed at lines[0].accommodation_type" in got.json()["warnings"]
    assert "foliohub.guarantee.scrubbed.v1" in [one["type"] for one in got.json()["outcomes"]]
    stored = hub.everything_stored()
    assert CARD.encode() not in stored
    assert CARD.replace(" ", "").encode() not in stored


def test_a_card_number_in_what_nobody_can_read(hub: World) -> None:
    """The bytes are kept without it, and the problem does not repeat it."""
    got = hub.post("/messages", json.dumps(event("E-2", currency=CARD)), STRUCTURED)

    assert got.status_code == 400
    assert CARD not in got.text
    opened = hub.dead_letter(got.json()["dead_letter"])["opened"]
    assert CARD.encode() not in opened
    assert b"card removed" in opened or b"*" in opened


def test_a_reference_that_looks_like_a_card_stays(hub: World) -> None:
    """Exempt by its field: an id of a booking is not a card."""
    references = [{"namespace": "pms:thais", "value": "4111111111111111"}]
    got = hub.send(event("E-3", references=references))

    assert (got.status_code, got.json()["warnings"]) == (200, [])


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_twenty_megabytes_are_refused_and_not_read_into_memory(hub: World, announced: bool) -> None:
    """413 with a problem, whether the length was told or not."""
    body = b"x" * 20_000_000
    data = body if announced else (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    got = hub.session.post(
        hub.url("/messages"), data=data, headers={"authorization": f"Bearer {hub.keys['azur']}", "content-type": STRUCTURED}
    )

    assert (got.status_code, got.json()["code"], got.json()["field"]) == (413, "too_large", "body")


def test_who_asks_first_is_told_before_it_sends(hub: World) -> None:
    """Expect: 100-continue with too large a body: no 100, a 413 at once."""
    head = (
        f"POST /messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.keys['azur']}\r\nContent-Type: {STRUCTURED}\r\n"
        "Content-Length: 20000000\r\nExpect: 100-continue\r\n\r\n"
    )
    with closing(socket.create_connection((hub.gateway.host, hub.gateway.port), timeout=5)) as wire:
        wire.sendall(head.encode())
        assert wire.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_at_the_limit_is_read(hub: World) -> None:
    """The limit itself is still a body; what it says is another matter."""
    limit = hub.hub.configuration.http.max_body_bytes
    body = json.dumps(event("E-4")).encode()

    assert hub.post("/messages?wait=5s", body + b" " * (limit - len(body)), STRUCTURED).status_code == 200
    assert hub.post("/messages", body + b" " * (limit - len(body) + 1), STRUCTURED).status_code == 413


def test_a_sender_that_breaks_off_leaves_nothing(hub: World) -> None:
    """Half a body is no message."""
    body = json.dumps(event("E-5")).encode()
    head = (
        f"POST /messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.keys['azur']}\r\nContent-Type: {STRUCTURED}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with closing(socket.create_connection((hub.gateway.host, hub.gateway.port), timeout=5)) as wire:
        wire.sendall(head.encode() + body[:50])
    time.sleep(0.1)

    assert hub.get("/messages?source=pms.thais&id=E-5").status_code == 404
    assert hub.get("/health", "").status_code == 200


def test_an_attribute_that_comes_twice(hub: World) -> None:
    """Which of them was meant nobody can say."""
    head = (
        f"POST /messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.keys['azur']}\r\nContent-Type: application/json\r\n"
        "ce-id: one\r\nce-id: two\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    )
    with closing(socket.create_connection((hub.gateway.host, hub.gateway.port), timeout=5)) as wire:
        wire.sendall(head.encode())
        answer = wire.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"repeated_header" in answer


@pytest.mark.parametrize(
    ("path", "field"), [("/messages?source=x", "id"), ("/messages?id=x", "source"), ("/messages?source=x&id=", "id")]
)
def test_what_was_left_out_is_named(hub: World, path: str, field: str) -> None:
    """Or is empty."""
    got = hub.get(path)

    assert (got.status_code, got.json()["code"], got.json()["field"]) == (400, "bad_request", field)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/messages", 405, "method_not_allowed"),
        ("GET", "/messages?source=x", 400, "bad_request"),
        ("GET", "/outcomes?limit=0", 400, "bad_request"),
        ("GET", "/outcomes?after=-1", 400, "bad_request"),
        ("GET", "/outcomes?limit=x", 400, "bad_request"),
    ],
)
def test_requests_that_fit_no_door(hub: World, method: str, path: str, status: int, code: str) -> None:
    """Problems too, never a page."""
    got = hub.session.request(method, hub.url(path), headers={"x-api-key": hub.keys["operator"]})

    assert (got.status_code, got.headers["content-type"]) == (status, "application/problem+json")
    assert got.json()["code"] == code
