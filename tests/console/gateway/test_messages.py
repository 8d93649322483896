"""POST and GET /messages over real HTTP: every mode, waiting, repeats, conflicts, and whose message it is."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.console.gateway.world import BATCH, STRUCTURED, World, event, payment, world
from tests.services.amqp_tools import wait_until


def test_structured_is_accepted_then_answered(hub: World) -> None:
    """202 with a receipt after the durable append; the outcome is there to be asked for."""
    got = hub.send(event("A-1"), wait="")

    assert got.status_code == 202
    assert (got.json()["taken"], got.json()["id"], got.json()["warnings"]) == ("accepted", "A-1", [])
    waited = hub.send(event("A-1"))
    assert waited.status_code == 200
    assert [one["type"] for one in waited.json()["outcomes"]][:2] == [
        "foliohub.booking.accepted.v1",
        "foliohub.booking.payment_schedule_set.v1",
    ]


def test_waiting_gets_the_outcomes_as_cloudevents(hub: World) -> None:
    """Full envelopes: whoever reads them needs nothing else."""
    got = hub.send(event("A-2"), wait="5s")

    assert got.status_code == 200
    first = got.json()["outcomes"][0]
    assert first["specversion"] == "1.0"
    assert (first["tenant"], first["subject"], first["correlationid"]) == ("azur", "A-2", "A-2")
    assert first["causationid"] == got.json()["message"]
    assert first["data"]["ordered"] == 12_500


def test_binary_mode(hub: World) -> None:
    """Attributes as `ce-` headers, percent-decoded; the body is the data alone."""
    message = event("A-3")
    headers = {f"ce-{name}": quote(value) for name, value in message.items() if name != "data"}
    got = hub.post("/messages?wait=5s", json.dumps(message["data"]), "application/json", **headers)

    assert got.status_code == 200, got.text
    assert got.json()["outcomes"][0]["subject"] == "A-3"


def test_batch_gives_a_receipt_each(hub: World) -> None:
    """One append for all of them, in order; one that is no message takes nothing else with it."""
    wrong = event("A-6", currency=7)
    got = hub.post("/messages", json.dumps([event("A-4"), wrong, event("A-5")]), BATCH)

    assert got.status_code == 207
    told = got.json()["receipts"]
    assert [one["taken"] for one in told] == ["accepted", "dead_lettered", "accepted"]
    assert (told[1]["code"], told[1]["field"]) == ("undecodable", "currency")
    good = hub.post("/messages?wait=5s", json.dumps([event("A-4"), event("A-7")]), BATCH)
    assert good.status_code == 200
    assert all(one["outcomes"] for one in good.json()["receipts"])


@pytest.mark.parametrize("body", ["{}", "[", "17", '"x"', "[[]"])
def test_a_batch_that_is_none_is_kept(hub: World, body: str) -> None:
    got = hub.post("/messages", body, BATCH)

    assert (got.status_code, got.json()["code"]) == (400, "not_a_batch")
    assert hub.dead_letter(got.json()["dead_letter"])["opened"] == body.encode()


def test_an_empty_batch_is_nothing(hub: World) -> None:
    got = hub.post("/messages", "[]", BATCH)

    assert (got.status_code, got.json()) == (202, {"receipts": []})


def test_too_many_events_are_refused_whole(hub: World) -> None:
    got = hub.post("/messages", "[" + ",".join(["{}"] * 1001) + "]", BATCH)

    assert (got.status_code, got.json()["code"]) == (413, "too_many_events")


def test_a_repeat_gets_the_stored_first_answer(hub: World) -> None:
    """Byte for byte, whether it waits or not (X-1)."""
    first = hub.send(event("A-8")).json()
    again = hub.send(event("A-8"), wait="")

    assert again.status_code == 200
    assert again.json() == {**first, "taken": "duplicate"}
    assert [row["n"] for row in hub.hub.reading.rows("SELECT count(*) AS n FROM outbox WHERE key = 'A-8'")] == [
        len(first["outcomes"])
    ]


def test_a_repeat_with_another_time_is_the_same(hub: World) -> None:
    """`requested_at` is renewed by a retransmission."""
    hub.send(event("A-9", requested_at="2026-05-01T08:00:00Z"))
    again = hub.send(event("A-9", requested_at="2026-05-01T08:05:00Z"))

    assert (again.status_code, again.json()["taken"]) == (200, "duplicate")


def test_the_same_identity_with_another_body_is_a_conflict(hub: World) -> None:
    """409, kept and shown, never merged; also while the first still waits."""
    assert hub.send(event("A-10"), wait="").status_code == 202
    got = hub.send(event("A-10", service_fee=600))

    assert got.status_code == 409
    assert got.headers["content-type"] == "application/problem+json"
    assert (got.json()["code"], got.json()["field"], got.json()["value"]) == ("duplicate_identity", "id", "A-10")
    wait_until(lambda: hub.get("/folios/A-10").status_code == 200, "the first is decided")
    assert hub.get("/folios/A-10").json()["sums"]["ordered"] == 12_500


def test_an_early_payment_is_parked_and_taken_up(hub: World) -> None:
    """What waits is said; what became of it later is found under its identity (X-2)."""
    early = payment("P-11", "A-11")
    got = hub.send(early)
    assert [one["type"] for one in got.json()["outcomes"]] == ["foliohub.message.parked.v1"]

    hub.send(event("A-11"))

    found = hub.get("/messages?source=pms.thais&id=P-11").json()
    assert [one["result"] for one in found["decisions"]] == ["parked", "decided"]
    assert found["status"] == "decided"
    assert "foliohub.payment.captured.v1" in [one["type"] for one in found["outcomes"]]


def test_a_refusal_is_an_outcome(hub: World) -> None:
    """The message was fine, a rule said no: 200, with the code."""
    message = event("R-12", "cancellation.request", folio="nowhere", request="R1")
    got = hub.send(message)

    assert got.status_code == 200
    (refused,) = got.json()["outcomes"]
    assert refused["type"] == "foliohub.cancellation.refused.v1"
    assert refused["data"]["code"] == "unknown_folio"


def test_a_stale_message_says_so(hub: World) -> None:
    """Recorded, and nothing changes: no outcome, and the result tells why."""
    hub.send(event("A-13", revision=5))
    got = hub.send({**event("A-13", "booking.changed", revision=4), "id": "A-13-old"})

    assert (got.status_code, got.json()["outcomes"], got.json()["results"]) == (200, [], ["stale"])


def test_what_became_of_a_message(hub: World) -> None:
    """Decisions with their records, outcomes with their envelopes; `messages` and `read` keys may ask."""
    hub.send(event("A-14"))

    for key in ("azur", "reader", "operator"):
        found = hub.get("/messages?source=pms.thais&id=A-14", key)
        assert found.status_code == 200
        (decision,) = found.json()["decisions"]
        assert (decision["result"], decision["key"], decision["type"]) == ("decided", "folio:A-14", "booking.confirmed")
        assert decision["record"]["trace"]


def test_another_tenants_message_is_not_known(hub: World) -> None:
    """X-12: 404, the same as for a message that nobody sent."""
    hub.send(event("A-15"))

    for key, id_ in (("dunes", "A-15"), ("dunes-reader", "A-15"), ("reader", "never")):
        got = hub.get(f"/messages?source=pms.thais&id={id_}", key)
        assert (got.status_code, got.json()["code"]) == (404, "unknown_message")


def test_x_10_a_card_number_that_is_asked_for_is_not_repeated(hub: World) -> None:
    """Neither as the value nor in the sentence around it."""
    got = hub.get("/messages?source=4111-1111-1111-1111&id=4111111111111111")

    assert (got.status_code, got.json()["field"]) == (404, "id")
    assert "1111" not in got.text


def test_one_may_not_speak_for_another_tenant(hub: World) -> None:
    """403; what is kept of it belongs to the sender's tenant, and the other one hears nothing."""
    got = hub.send(event("A-16", tenant="dunes"))

    assert (got.status_code, got.json()["code"], got.json()["value"]) == (403, "unknown_tenant", "dunes")
    assert hub.dead_letter(got.json()["dead_letter"])["tenant"] == "azur"
    assert hub.get("/outcomes", "dunes-reader").json()["outcomes"] == []


def test_tenants_with_the_same_ids_do_not_meet(hub: World) -> None:
    """An identity is (tenant, source, id)."""
    assert hub.send(event("A-17")).json()["taken"] == "accepted"
    other = hub.send({**event("A-17", tenant="dunes"), "source": "pms.thais"}, key="dunes")

    assert other.json()["taken"] == "accepted"
    assert other.json()["outcomes"][0]["type"] == "foliohub.booking.refused.v1"


def test_waiting_on_a_hub_that_does_not_decide_is_a_202(tmp_path: Path) -> None:
    """The message is durable; the outcome comes when the lanes run again."""
    with world(tmp_path, start_lanes=False) as quiet:
        got = quiet.send(event("B-1"), wait="50ms")
        assert got.status_code == 202
        waiting = quiet.get("/messages?source=pms.thais&id=B-1").json()
        assert (waiting["status"], waiting["decisions"]) == ("waiting", [])
        assert quiet.send(event("B-1", service_fee=1), wait="").status_code == 409
        quiet.serving.start()

        assert quiet.send(event("B-1")).json()["taken"] == "duplicate"


def test_many_wait_for_one_message(tmp_path: Path) -> None:
    """All are told, whenever they came."""
    with world(tmp_path, start_lanes=False) as quiet:
        told: list[int] = []
        callers = [threading.Thread(target=lambda: told.append(quiet.send(event("B-2"), wait="10s").status_code)) for _ in range(8)]
        for caller in callers:
            caller.start()
        quiet.serving.start()
        for caller in callers:
            caller.join(15)

        assert told == [200] * 8


@pytest.mark.parametrize("wait", ["2", "2m", "-1s", "1.5s", "s", "1e3s", "9999999s", "²s"])
def test_a_wait_that_is_none(hub: World, wait: str) -> None:
    got = hub.post(f"/messages?wait={quote(wait)}", json.dumps(event("A-18")), STRUCTURED)

    assert (got.status_code, got.json()["code"], got.json()["field"]) == (400, "bad_wait", "wait")
    assert hub.get("/messages?source=pms.thais&id=A-18").status_code == 404


def test_what_waited_for_a_name_is_found_again(hub: World) -> None:
    """Parked under an ORDERID, taken up by the folio that has it: one story under the message's own identity."""
    early = payment("P-20", "", order="ORDER-20", provider_reference="8020")
    assert [one["type"] for one in hub.send(early).json()["outcomes"]] == ["foliohub.message.parked.v1"]

    hub.send(event("A-20", references=[{"namespace": "ogone:azur:order", "value": "ORDER-20"}]))

    found = hub.get("/messages?source=pms.thais&id=P-20").json()
    assert [(one["key"].partition(":")[0], one["result"]) for one in found["decisions"]] == [
        ("reference", "parked"),
        ("folio", "decided"),
    ]
    assert hub.get("/folios/A-20").json()["sums"]["collected"] == 12_500
