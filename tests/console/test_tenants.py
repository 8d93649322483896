"""X-12: tenants never see one another. Every door and every message type is tried with another tenant's keys, naming what is the first
one's; what is new and has no row here fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
import requests

from console.gateway.app import create_app
from console.gateway.server import Gateway
from engine.keys import DoorKeys
from engine.transport.contract import Arrival
from schemas import registry
from tests.console.tenants import OTHER, Owned, hidden, summer, things, untouched
from tests.engine.campsite import HOUSE, Campsite, booking, event


@pytest.fixture(scope="module")
def camp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campsite]:
    """For doors and messages."""
    with summer(tmp_path_factory.mktemp("doors")) as made:
        yield made


@pytest.fixture(scope="module")
def owned(camp: Campsite) -> Owned:
    """What it has by then."""
    return things(camp)


# -- doors -------------------------------------------------------------------------------------------------------------------------

Ask = Callable[[Owned], tuple[str, dict[str, Any]]]
UNKNOWN, CLOSED, NOTHING, PUBLIC = 404, (401, 403), "nothing", "public"
DOORS: Final[Mapping[tuple[str, str], tuple[object, Ask]]] = {
    ("GET", "/folios/{folio}"): (UNKNOWN, lambda one: (f"/folios/{one.asked}", {})),
    ("GET", "/messages"): (UNKNOWN, lambda one: (f"/messages?source=pms.thais&id={one.message}", {})),
    ("POST", "/messages"): (
        CLOSED,
        lambda one: ("/messages", {"json": event("x-1", "balance.cancel", {"actor": HOUSE, "folio": one.asked}),
                                   "headers": {"content-type": "application/cloudevents+json"}}),
    ),
    ("GET", "/outcomes"): (NOTHING, lambda _: ("/outcomes?limit=1000", {})),
    ("GET", "/balance-requests"): (NOTHING, lambda _: ("/balance-requests?property=camp-azur&limit=1000", {})),
    ("GET", "/balance-requests/{balance_request}/payment"): (UNKNOWN, lambda one: (f"/balance-requests/{one.request}/payment", {})),
    ("GET", "/vouchers"): (NOTHING, lambda _: ("/vouchers?limit=1000", {})),
    ("GET", "/journal"): (NOTHING, lambda _: ("/journal?day=2026-05-01&property=camp-azur", {})),
    ("POST", "/channels/{channel}/ota"): (
        CLOSED,
        lambda _: ("/channels/demo/ota", {"data": b"<OTA_CancelRQ xmlns='http://www.opentravel.org/OTA/2003/05'/>",
                                          "headers": {"content-type": "text/xml"}}),
    ),
    ("GET", "/psp/ogone/{merchant}"): (CLOSED, lambda one: (f"/psp/ogone/azur?orderID=AZ-1-1&PAYID={one.payid}&STATUS=8&SHASIGN=00", {})),
    ("POST", "/psp/ogone/{merchant}"): (
        CLOSED,
        lambda one: ("/psp/ogone/azur", {"data": {"orderID": "AZ-1-1", "PAYID": one.payid, "STATUS": "8", "SHASIGN": "00"}}),
    ),
    ("GET", "/health"): (PUBLIC, lambda _: ("/health", {})),
    ("GET", "/ready"): (PUBLIC, lambda _: ("/ready", {})),
    ("GET", "/metrics"): (PUBLIC, lambda _: ("/metrics", {})),
}  # fmt: skip
"""What the other tenant asks by each door, and what comes of it: 404 as of what is not there; 401 or 403; an answer with nothing of the
first tenant's in it. `PUBLIC` doors want no key."""


@pytest.fixture(scope="module")
def gateway(camp: Campsite) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The address, and the other tenant's keys by scope."""
    keys = DoorKeys(camp.hub.database, camp.hub.clock)
    made = {scope: keys.add(OTHER, scope)[1] for scope in ("messages", "read", "operator", "channel:demo")}
    with Gateway(camp.hub, port=0) as running:
        yield running.address, made


def test_x_12_every_door_has_a_row(camp: Campsite) -> None:
    """By what OpenAPI says of the application."""
    paths = create_app(camp.hub).openapi_schema.to_schema()["paths"]
    doors = {(method.upper(), path) for path, methods in paths.items() for method in methods}

    assert doors == DOORS.keys()


@pytest.mark.parametrize("door", DOORS, ids=lambda door: " ".join(door))
@pytest.mark.parametrize("scope", ["messages", "read", "operator", "channel:demo"])
def test_x_12_no_door_opens_on_another_tenant(
    camp: Campsite, owned: Owned, gateway: tuple[str, Mapping[str, str]], door: tuple[str, str], scope: str
) -> None:
    """With each of the other's keys."""
    wanted, ask = DOORS[door]
    path, more = ask(owned)
    headers = {"x-api-key": gateway[1][scope], **more.get("headers", {})}
    with untouched(camp):
        got = requests.request(door[0], gateway[0] + path, **{**more, "headers": headers}, timeout=20)

    hidden(got.text, (path, more), owned)
    if wanted is UNKNOWN:
        assert got.status_code in (404, 403)
    elif wanted is CLOSED:
        assert got.status_code in (*CLOSED, 400)
    elif wanted is PUBLIC:
        assert got.status_code in (200, 503)


def test_x_12_what_is_another_tenants_is_as_if_it_were_not_there(owned: Owned, gateway: tuple[str, Mapping[str, str]]) -> None:
    """The same answer, word for word, as of an id that nobody has; and a stream of nothing but one's own."""
    address, keys = gateway
    headers = {"x-api-key": keys["read"]}
    theirs, nobodys = (requests.get(f"{address}/folios/{folio}", headers=headers, timeout=20) for folio in (owned.asked, "ZZ-1"))

    assert (theirs.status_code, theirs.text) == (nobodys.status_code, nobodys.text.replace("ZZ-1", owned.asked))
    outcomes = requests.get(f"{address}/outcomes", headers=headers, timeout=20).json()["outcomes"]
    assert {one["tenant"] for one in outcomes} <= {OTHER}


def test_the_same_doors_show_the_first_tenant_its_own(camp: Campsite, owned: Owned, gateway: tuple[str, Mapping[str, str]]) -> None:
    """Likewise."""
    headers = {"x-api-key": DoorKeys(camp.hub.database, camp.hub.clock).add("azur", "read")[1]}
    for door in (("GET", "/folios/{folio}"), ("GET", "/messages"), ("GET", "/outcomes")):
        got = requests.get(gateway[0] + DOORS[door][1](owned)[0], headers=headers, timeout=20)

        assert got.status_code == 200
        assert owned.asked in got.text


# -- messages ----------------------------------------------------------------------------------------------------------------------

MONEY: Final = {"amount": 10_000, "currency": "EUR"}
CARD: Final = {**MONEY, "provider": "ogone", "merchant": "azur"}
REASON: Final = {"reason": "a look"}
NAMING: Final[Mapping[str, Callable[[Owned], dict[str, Any]]]] = {
    "booking.requested": lambda one: {**booking(one.asked)["data"], "property": "camp-azur"},
    "booking.confirmed": lambda one: {**booking(one.asked)["data"], "property": "camp-vert"},
    "booking.changed": lambda one: {**booking(one.asked)["data"], "revision": 9, "property": "camp-vert"},
    "booking.cancelled": lambda one: {"folio": one.asked, "revision": 9, "reason": "", "refund": "full"},
    "booking.cancel_with_voucher": lambda one: {"folio": one.asked, "number": one.code},
    "payment.authorised": lambda one: {"folio": one.asked, "payment": "P-AZ-1", "provider_reference": one.payid, **CARD},
    "payment.received": lambda one: {"folio": one.asked, "payment": "P-AZ-1", "provider_reference": one.payid, **CARD},
    "payment.reversed": lambda one: {"folio": one.asked, "payment": "P-AZ-1", "provider_reference": one.payid, **CARD},
    "refund.executed_externally": lambda one: {"folio": one.in_cash, "refund": one.by_hand, "amount": 20_000},
    "cancellation.request": lambda one: {"folio": one.asked, "request": "C-1", "confirm": True},
    "cancellation.confirm": lambda one: {"folio": one.cancelled, "request": "R-AZ-2"},
    "cancellation.withdraw": lambda one: {"folio": one.cancelled, "request": "R-AZ-2"},
    "force_majeure.declare": lambda _: {"event": "storm", "area": "cote-d-azur", "from": "2026-07-01", "to": "2026-08-30"},
    "provider.notified": lambda one: {
        "provider": "ogone", "merchant": "azur", "provider_reference": one.payid, "order": "AZ-1-1", "status": "8",
    },
    "approval.grant": lambda one: {"subject": one.effect, **REASON},
    "approval.deny": lambda one: {"subject": one.effect, **REASON},
    "effect.settle": lambda one: {"subject": one.effect, "result": "confirmed", **REASON},
    "dead_letter.replay": lambda one: {"subject": one.letter, **REASON},
    "dead_letter.discard": lambda one: {"subject": one.letter, **REASON},
    "payouts.stop": lambda _: REASON,
    "payouts.start": lambda _: REASON,
    "person.forget": lambda one: {"subject": one.person, **REASON},
    "balance.set_amount": lambda one: {"folio": one.asked, "request": one.request, "amount": 0},
    "balance.cancel": lambda one: {"folio": one.asked, "request": one.request},
    "balance.send_now": lambda one: {"folio": one.asked, "request": one.request},
    "balance.resend": lambda one: {"folio": one.asked, "request": one.request},
    "balance.suspend": lambda _: {"until": "2026-07-20", "scope": "property", "property": "camp-azur"},
    "balance.recreate": lambda one: {"folio": one.asked, "request": one.request},
    "balance.choose_method": lambda one: {"folio": one.asked, "request": one.request, "method": "card"},
    "balance.report_collected": lambda one: {"folio": one.asked, "request": one.request, "provider_reference": one.payid},
    "balance.report_disfunction": lambda one: {"folio": one.asked, "request": one.request},
    "voucher.enter": lambda one: {"folio": one.asked, "number": one.code, "amount": 1_000},
    "voucher.check": lambda one: {"folio": one.asked, "number": one.code, "verdict": "accepted"},
    "voucher.register": lambda one: {"number": one.code, "value": 1, "currency": "EUR", "property": "camp-azur"},
    "voucher.consent": lambda one: {"folio": one.asked, "text_version": "1"},
    "notice.bounced": lambda one: {"notice": one.notice},
    "notice.resend": lambda one: {"notice": one.notice, "folio": one.asked},
    "dispute.opened": lambda one: {"folio": one.asked, "payment": "P-AZ-1", "provider_reference": one.payid, **CARD},
    "dispute.closed": lambda one: {"folio": one.asked, "payment": "P-AZ-1", "outcome": "lost", "provider_reference": one.payid, **CARD},
}  # fmt: skip
"""What the other tenant says of what is the first one's."""


def test_x_12_every_message_has_a_row() -> None:
    """By the registry."""
    assert NAMING.keys() == registry.IN.keys()


@pytest.mark.parametrize("name", NAMING)
def test_x_12_no_message_moves_or_tells_what_is_another_tenants(camp: Campsite, owned: Owned, name: str) -> None:
    """By folio, and by the names that others know it by."""
    data = NAMING[name](owned)
    known = {"references": [{"namespace": "pms:thais", "value": f"no-{owned.asked}"}]}
    more = [] if name.startswith(("booking.re", "booking.conf", "booking.chan")) or "folio" not in data else [known]
    actor = {"actor": {"kind": "operator", "id": "o"}} if name in registry.OPERATORS else {"actor": HOUSE}
    last = camp.one("SELECT coalesce(max(seq), 0) FROM outbox")
    with untouched(camp):
        for number, by in enumerate([{}, *more]):
            said = {key: value for key, value in data.items() if not by or key != "folio"}
            body = json.dumps(event(f"x-{name}-{number}", name, {**said, **by, **actor}, "theirs", OTHER)).encode()
            door = Arrival(door="test", body=body, content_type="application/cloudevents+json", tenants=frozenset({OTHER}))
            (receipt,) = camp.hub.intake.append([door])
            assert receipt.taken == "accepted" or receipt.code == "unknown_merchant", receipt
            camp.settle()

    told = camp.hub.reading.rows("SELECT tenant, CAST(body AS TEXT) AS body FROM outbox WHERE seq > ?", (last,))
    assert {row["tenant"] for row in told} <= {OTHER}
    for row in told:
        hidden(row["body"], (data, more), owned)


def test_x_12_a_door_takes_no_word_of_another_tenant(camp: Campsite, owned: Owned) -> None:
    """The tenant that a message names is one of its door's."""
    with untouched(camp):
        body = json.dumps(event("x-2", "balance.cancel", {"actor": HOUSE, "folio": owned.asked})).encode()
        door = Arrival(door="test", body=body, content_type="application/cloudevents+json", tenants=frozenset({OTHER}))
        (receipt,) = camp.hub.intake.append([door])

    assert receipt.taken == "dead_lettered"
