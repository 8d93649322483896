"""GET and POST /psp/ogone/{merchant} over real HTTP: signed callbacks, repeated, forged, broken."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest
import requests
from structlog.testing import capture_logs

from connectors.psp.ogone import signature
from engine.connectors import ogone_accounts
from tests.console.gateway.world import World, configuration, event, payment

ACCOUNT = ogone_accounts(configuration(), {})["azur"]
SAID = {"orderID": "B1-1", "currency": "EUR", "amount": "125", "STATUS": "8", "PAYID": "3014726", "PAYIDSUB": "1", "NCERROR": "0"}


def signed(passphrase: str = ACCOUNT.sha_out[0], **changes: str) -> str:
    """A callback as the provider signs it."""
    fields = {**SAID, "orderID": f"O-{changes.get('PAYID', '')}", **changes}
    given = signature.sign({k: v for k, v in fields.items() if v}, passphrase, ACCOUNT.signs_out)
    return urlencode({**fields, "SHASIGN": given}, encoding="iso-8859-1")


def post(hub: World, form: str | bytes, merchant: str = "azur") -> requests.Response:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return hub.session.post(hub.url(f"/psp/ogone/{merchant}"), data=form, headers=headers, timeout=10)


def notified(hub: World, reference: str) -> list[str]:
    """How each callback about a payment was decided."""
    rows = hub.hub.reading.rows(
        "SELECT result FROM decision WHERE name = 'provider.notified' AND origin = 'intake' AND key LIKE ? ORDER BY seq",
        (f"%\x1f{reference}",),
    )
    return [row["result"] for row in rows]


def until(check: object, wanted: object, timeout_s: float = 5.0) -> object:
    """What `check` gives as soon as it is `wanted`, or at the end of the time."""
    assert callable(check)
    end = time.monotonic() + timeout_s
    while (got := check()) != wanted and time.monotonic() < end:
        time.sleep(0.01)
    return got


def test_story_4_the_same_callback_twice(hub: World) -> None:
    """Both are acknowledged, one is decided: the second is a repeat, by GET as by POST (X-1, X-6)."""
    hub.send(event("Y-1", references=[{"namespace": "ogone:azur:pay", "value": "7001"}]))
    hub.send(payment("P-Y1", "Y-1", provider_reference="7001"))
    form = signed(PAYID="7001")

    first = post(hub, form)
    second = hub.session.get(hub.url(f"/psp/ogone/azur?{form}"))

    assert (first.status_code, first.text) == (200, "OK")
    assert (second.status_code, second.text) == (200, "OK")
    assert until(lambda: sorted(notified(hub, "7001")), ["duplicate", "forwarded"]) == ["duplicate", "forwarded"]
    # it settles nothing: the payment is asked about, and what was collected stays
    assert hub.get("/folios/Y-1").json()["sums"]["collected"] == 12_500
    asked = "SELECT count(*) AS times FROM evidence WHERE reference = '7001' AND act = 'query'"
    assert until(lambda: hub.hub.reading.rows(asked)[0]["times"], 1) == 1


def test_a_callback_before_its_payment_waits(hub: World) -> None:
    """Acknowledged and parked, never lost (X-2)."""
    assert post(hub, signed(PAYID="7002")).status_code == 200

    assert until(lambda: notified(hub, "7002"), ["parked"]) == ["parked"]


def test_another_status_is_another_callback(hub: World) -> None:
    """What it says is its identity."""
    assert post(hub, signed(PAYID="7003", STATUS="81")).status_code == 200
    assert post(hub, signed(PAYID="7003", STATUS="8")).status_code == 200

    assert until(lambda: notified(hub, "7003"), ["parked", "parked"]) == ["parked", "parked"]


def test_a_new_passphrase_beside_the_old(hub: World) -> None:
    """Each of the account's secrets is accepted; one that is neither is not."""
    assert post(hub, signed("of-nobody", PAYID="7004")).status_code == 403
    assert post(hub, signed(PAYID="7004")).status_code == 200


@pytest.mark.parametrize(
    ("form", "differs"),
    [
        pytest.param(signed("wrong"), "", id="wrong passphrase"),
        pytest.param(signed().replace("amount=125", "amount=1250"), "", id="changed amount"),
        pytest.param(
            "&".join(piece for piece in signed().split("&") if not piece.startswith("SHASIGN")), "SHASIGN", id="no signature"
        ),
        pytest.param("", "SHASIGN", id="nothing"),
    ],
)
def test_a_wrong_signature_learns_nothing(hub: World, form: str, differs: str) -> None:
    """403 without a detail; what differs is in the log, the passphrase never; nothing is stored."""
    before = hub.hub.reading.rows("SELECT count(*) AS n FROM intake")
    with capture_logs() as logs:
        got = post(hub, form)

    assert (got.status_code, got.json()["code"], got.json()["field"]) == (403, "forbidden", "")
    assert "sign" not in got.text.lower()
    (line,) = (one for one in logs if one["event"] == "callback_refused")
    assert line["merchant"] == "azur"
    assert line["differs"] == differs
    assert ACCOUNT.sha_out[0] not in str(logs)
    assert hub.hub.reading.rows("SELECT count(*) AS n FROM intake") == before


@pytest.mark.parametrize(
    ("form", "status"),
    [
        pytest.param(signed() + "&STATUS=9", 400, id="a parameter twice"),
        pytest.param("a=%zz", 400, id="broken percent sign"),
        pytest.param("&".join(f"a{n}=1" for n in range(300)), 400, id="too many parameters"),
        pytest.param("a=" + "x" * 65_600, 413, id="beyond 64 KiB"),
    ],
)
def test_what_is_no_callback(hub: World, form: str, status: int) -> None:
    assert post(hub, form).status_code == status


def test_an_unknown_merchant(hub: World) -> None:
    got = post(hub, signed(), merchant="nobody")

    assert (got.status_code, got.json()["code"]) == (404, "not_found")


def test_a_signed_amount_that_is_none_is_kept(hub: World) -> None:
    """It was the provider who said it: a person looks at it."""
    got = post(hub, signed(amount="NaN", PAYID="7005"))

    assert (got.status_code, got.json()["code"]) == (400, "amount_not_a_number")
    (row,) = hub.hub.reading.rows("SELECT id FROM dead_letter WHERE code = 'amount_not_a_number'")
    assert b"PAYID=7005" in hub.dead_letter(row["id"])["opened"]


def test_accents_in_latin_1(hub: World) -> None:
    """The bytes are signed, whatever they mean."""
    assert post(hub, signed(PAYID="7006", COMPLUS="séjour").encode("ascii")).status_code == 200


def test_a_card_number_in_a_callback_is_not_kept(hub: World) -> None:
    """The provider masks them; one that is not masked is removed after the signature was checked."""
    assert post(hub, signed(PAYID="7007", COMPLUS="4111111111111111")).status_code == 200

    assert b"4111111111111111" not in hub.everything_stored()
