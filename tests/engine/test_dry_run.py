"""Reading and playing: what cannot be read is named by file, line and reason; time is the messages'; ends are told apart."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from connectors.psp.contract import Can, Deadline
from connectors.psp.ogone.simulator.script import Script
from engine import dry_run
from engine.dry_run import DryRun, Unreadable, read
from schemas.effect import EffectKind, EffectOrder, RecordKind, Result
from schemas.envelope import message_id, name_of

LINE = {"line": "1", "trade": "outdoor", "price": 20_000, "arrival": "2026-07-24", "terms": "outdoor/flexible"}
BOOKING = {"actor": {"kind": "system"}, "folio": "A", "property": "camp-azur", "currency": "EUR", "lines": [LINE]}


def event(type_: str, time: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One message of the tenant azur."""
    base = {"specversion": "1.0", "id": "1", "source": "pms.thais", "type": f"foliohub.{type_}.v1", "time": time, "tenant": "azur"}
    return {**base, **more, "data": data}


def booking(**more: Any) -> dict[str, Any]:
    return event("booking.confirmed", "2026-05-01T08:00:00Z", BOOKING, **more)


def ask(time: str, **more: Any) -> dict[str, Any]:
    return event("cancellation.request", time, {"actor": {"kind": "guest"}, "folio": "A", "request": "R1"}, id="2", **more)


def confirm(time: str, **more: Any) -> dict[str, Any]:
    return event("cancellation.confirm", time, {"actor": {"kind": "guest"}, "folio": "A", "request": "R1"}, id="3", **more)


def lines_of(*events: dict[str, Any] | bytes) -> io.BytesIO:
    return io.BytesIO(b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in events))


def played(
    *events: dict[str, Any] | bytes, until: str = "", script: Script | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Outcomes as (name, time, data) in one object each, and what ended unsettled."""
    run = DryRun(load(None, {}), script)
    out: list[bytes] = []
    for line in read("play.jsonl", lines_of(*events)):
        out += run.play(line)
    if until:
        out += run.pass_until(dry_run.instant_of(until))
    unsettled = run.unsettled()
    run.close()
    shown = [json.loads(line) for line in out]
    return [{"name": name_of(one["type"]), "time": one["time"], **one["data"]} for one in shown], unsettled


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b'{"time": "2026-05-01T08:00:00Z"', "not JSON", id="cut off"),
        pytest.param(b"time, type, data", "not JSON", id="another format"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b'"booking"', "not a JSON object", id="a text"),
        pytest.param(b'{"type": "x"}', "there is no `time`", id="no time"),
        pytest.param(b'{"time": null}', "not an instant", id="time is null"),
        pytest.param(b'{"time": "2026-05-01"}', "not an instant", id="a day"),
        pytest.param(b'{"time": "2026-05-01T08:00:00"}', "not an instant", id="no offset"),
        pytest.param(b'{"time": "2026-02-30T08:00:00Z"}', "not an instant", id="a day that does not exist"),
        pytest.param(b'{"time": "1969-12-31T23:59:59Z"}', "is not from 1971-01-01 to 2199-12-31", id="before time began"),
        pytest.param(b'{"time": "0001-01-01T00:00:00+02:00"}', "`time` 0001-01-01.* is not from", id="the first instant"),
        pytest.param(b'{"time": "9999-12-31T23:59:59Z"}', "`time` 9999-12-31.* is not from", id="the last instant"),
        pytest.param(b'{"time": "2026-05-01T08:00:00Z", "id": "\xff"}', "not UTF-8 at byte", id="another encoding"),
        pytest.param(b'{"time": "2026-05-01T08:00:00Z", "x": ' + b"[" * 100_000, "not JSON", id="nested without end"),
    ],
)
def test_what_cannot_be_read_is_named(line: bytes, reason: str) -> None:
    """File, line and reason; empty lines count."""
    with pytest.raises(Unreadable, match=reason) as seen:
        list(read("play.jsonl", lines_of(booking(), b"", line)))

    assert str(seen.value).startswith("play.jsonl:3: ")


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than the limit is not even taken into memory whole."""
    monkeypatch.setattr(dry_run, "LONGEST_LINE", 1000)

    with pytest.raises(Unreadable, match=r"play\.jsonl:1: longer than 1000 bytes"):
        list(read("play.jsonl", lines_of(booking(subject="x" * 1000))))


def test_lines_that_are_read() -> None:
    """A byte order mark, carriage returns, spaces, a last line without its end."""
    stream = io.BytesIO(
        b"\xef\xbb\xbf" + lines_of(booking()).getvalue().replace(b"\n", b"\r\n") + b"  \n" + json.dumps(booking()).encode()
    )

    assert [line.number for line in read("-", stream)] == [1, 3]


def test_the_clock_stands_at_the_latest_time() -> None:
    """A message that says an earlier time is late: judged now."""
    outcomes, _ = played({**booking(), "time": "2026-07-21T10:00:00Z"}, ask("2026-07-01T10:00:00Z"))

    quoted = outcomes[-1]
    assert (quoted["name"], quoted["time"], quoted["lines"][0]["refund_rate"]) == (
        "cancellation.quoted",
        "2026-07-21T10:00:00Z",
        "50 %",
    )


def test_what_is_due_comes_before_a_message_of_the_same_instant() -> None:
    """The quote ends at 10:30; a confirmation of 10:30:00 finds it ended."""
    outcomes, _ = played(booking(), ask("2026-07-14T10:00:00Z"), confirm("2026-07-14T10:30:00Z"))

    assert [outcome["name"] for outcome in outcomes[-4:]] == [
        "cancellation.quoted",
        "cancellation.quote_expired",
        "cancellation.refused",
        "cancellation.quoted",
    ]


def test_time_goes_on_after_the_last_message() -> None:
    outcomes, _ = played(booking(), ask("2026-07-14T10:00:00Z"), until="2026-07-14T10:29:59.999999Z")
    assert outcomes[-1]["name"] == "cancellation.quoted"

    outcomes, _ = played(booking(), ask("2026-07-14T10:00:00Z"), until="2026-07-14T10:30:00Z")
    assert (outcomes[-1]["name"], outcomes[-1]["time"]) == ("cancellation.quote_expired", "2026-07-14T10:30:00Z")


def test_everything_due_comes_at_its_own_time() -> None:
    """Two quotes end between two messages: each at its own instant, the earlier first, whatever their names."""
    two = [
        booking(),
        event("booking.confirmed", "2026-05-01T08:00:00Z", {**BOOKING, "folio": "B"}, id="b"),
        event("cancellation.request", "2026-07-14T10:00:00Z", {"actor": {"kind": "guest"}, "folio": "B", "request": "R1"}, id="rb"),
        ask("2026-07-14T10:01:00Z"),
        event("booking.confirmed", "2026-07-15T08:00:00Z", {**BOOKING, "folio": "C"}, id="c"),
    ]
    outcomes, _ = played(*two)

    ended = [(one["folio"], one["time"]) for one in outcomes if one["name"] == "cancellation.quote_expired"]
    assert ended == [("B", "2026-07-14T10:30:00Z"), ("A", "2026-07-14T10:31:00Z")]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        pytest.param(event("booking.sung", "2026-05-01T08:00:00Z", {}), "unknown_type", id="unknown type"),
        pytest.param(
            event("booking.confirmed", "2026-05-01T08:00:00Z", {**BOOKING, "lines": [{**LINE, "price": 1.5}]}),
            "lines[0].price",
            id="an amount with a point",
        ),
        pytest.param(booking(tenant="nobody"), "unknown_tenant", id="unknown tenant"),
        pytest.param({"time": "2026-05-01T08:00:00Z"}, "undecodable", id="nothing but a time"),
    ],
)
def test_what_is_no_message_is_a_dead_letter(message: dict[str, Any], said: str) -> None:
    """It could be read, so that it is the engine's to judge: kept, told, and the play goes on."""
    outcomes, unsettled = played(message, booking(id="9"))

    assert [text.partition(":")[0] for text in unsettled] == ["dead letter"]
    assert said in unsettled[0]
    assert "booking.accepted" in {outcome["name"] for outcome in outcomes}


def test_a_decision_is_told_with_its_message_and_before_what_it_led_to() -> None:
    """By the hub's id of it and the sender's."""
    run = DryRun(load(None, {}), explain=True)
    (line,) = read("play.jsonl", lines_of(booking()))
    decision, *outcomes = [json.loads(one) for one in run.play(line)]
    run.close()
    told = decision["decision"]

    assert (told["message"], told["input"], told["name"]) == (message_id("azur", "pms.thais", "1"), "1", "booking.confirmed")
    assert told["outcomes"] == [one["id"] for one in outcomes]
    assert {
        "decision", "under", "origin", "input", "message", "name", "tenant", "kind", "key", "result", "act", "received_at",
        "decided_at", "policy_version", "trace", "entries", "requests", "outcomes",
    } <= set(told)  # fmt: skip


def test_a_decision_is_told_with_what_it_asked_for_and_booked() -> None:
    """And only with that."""
    paid = {
        "actor": {"kind": "system"}, "folio": "A", "payment": "P1", "amount": 20_000, "currency": "EUR", "provider": "ogone",
        "merchant": "azur", "provider_reference": "3001",
    }  # fmt: skip
    asked = {"actor": {"kind": "guest"}, "folio": "A", "request": "R1", "confirm": True}
    run = DryRun(load(None, {}), explain=True)
    told = []
    for line in read(
        "play.jsonl",
        lines_of(
            booking(),
            event("payment.received", "2026-05-01T09:00:00Z", paid, id="2"),
            event("cancellation.request", "2026-05-02T09:00:00Z", asked, id="3"),
        ),
    ):
        told += [json.loads(one) for one in run.play(line)]
    run.close()
    decisions = [one["decision"] for one in told if "decision" in one and one["decision"]["kind"] == "folio"]
    by_name = {one["name"]: one for one in reversed(decisions)}

    assert [one["business_key"] for one in by_name["cancellation.request"]["requests"]] == ["A/P1/1"]
    assert [one["requests"] for one in (by_name["booking.confirmed"], by_name["payment.received"])] == [[], []]
    assert [(one["entry"], one["minor"]) for one in by_name["payment.received"]["entries"]] == [("captured", 20_000)]


def test_a_refusal_is_no_failure() -> None:
    outcomes, unsettled = played(ask("2026-07-14T10:00:00Z"))

    assert [outcome["code"] for outcome in outcomes] == ["unknown_folio"]
    assert unsettled == []


def test_a_dead_letter_that_was_discarded_is_settled() -> None:
    outcomes, _ = played(event("booking.sung", "2026-05-01T08:00:00Z", {}))
    letter = outcomes[0]["dead_letter"]
    discard = event("dead_letter.discard", "2026-05-02T08:00:00Z", {"actor": {"kind": "operator"}, "subject": letter}, id="d")

    _, unsettled = played(event("booking.sung", "2026-05-01T08:00:00Z", {}), discard)

    assert unsettled == []


def test_the_accepting_provider_shows_what_it_did() -> None:
    """Its history is what was asked of it, level by level, so that a query never contradicts a reply."""
    connector = AcceptingProviders()["any"]
    orders = [
        EffectOrder(
            effect=kind, key=kind, kind=kind, provider="p", merchant="any", reference="1", order="", minor=n, currency="EUR"
        )
        for n, kind in enumerate((EffectKind.REFUND, EffectKind.CAPTURE, EffectKind.VOID), 1)
    ]

    replies = [connector.send(order, Deadline.within(1)) for order in orders]

    assert {reply.result for reply in replies} == {Result.CONFIRMED}
    assert [reply.record for reply in replies] == list(connector.query("1", "", Deadline.within(1)).records)
    assert [(record.level, record.kind, record.minor) for record in connector.query("1", "", Deadline.within(1)).records] == [
        ("1", RecordKind.REFUND, 1),
        ("2", RecordKind.CAPTURE, 2),
        ("3", RecordKind.VOID, 3),
    ]
    assert connector.query("2", "", Deadline.within(1)).records == ()
    assert Can.KEYS not in connector.can
