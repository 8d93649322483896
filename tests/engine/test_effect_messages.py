"""The words by which the effects runner tells a folio: each field, and an id that is the same for the same news and no other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine import effect_messages as messages
from engine.store.effects import Effect, PaymentAsk
from engine.store.rows import InternalRow
from schemas.effect import EffectState, ProviderRecord, RecordKind, Result

NOW = 1_777_622_400_000_000
EFFECT = Effect(
    id="e", tenant="t", folio="f", lane=3, kind="refund", provider="ogone", merchant="m", payment="p", reference="r", order_ref="o",
    minor=500, currency="EUR", refund="x", property="camp", last=0, state="sending", reason="", next_at=0, attempts=1, queries=2, fence=7,
    lease_until=0, sent_at=0, record="", correlation="c", traceparent="tp",
)  # fmt: skip
ASK = PaymentAsk("m", "r", "ogone", "o", "t", "f", 3, "p", 0)
TAKEN = ProviderRecord(
    reference="r", level="1", kind=RecordKind.CAPTURE, result=Result.CONFIRMED, status="9", currency="EUR", minor=900
)


def body(row: InternalRow | None) -> dict[str, Any]:
    assert row is not None
    return dict(msgspec.json.decode(row.body))


def ids(*rows: InternalRow | None) -> set[str]:
    return {row.id for row in rows if row is not None}


def test_a_reply() -> None:
    """To the folio of the request, in its lane, with what it came with; a record by the payment's number and its own."""
    row = messages.reply(EFFECT, EffectState.CONFIRMED, TAKEN, "9" * 70, "y" * 600, NOW)

    assert (row.lane, row.tenant, row.source, row.name, row.kind, row.key) == (3, "t", "foliohub", "reply.arrived", "folio", "f")
    assert (row.act, row.received_at, row.correlation, row.traceparent, row.cause) == (NOW, NOW, "c", "tp", 0)
    assert body(row) == {
        "folio": "f", "effect": "e", "kind": "refund", "state": "confirmed", "minor": 500, "currency": "EUR", "payment": "p",
        "refund": "x", "record": "r/1", "code": "9" * 64, "message": "y" * 500, "at": "2026-05-01T08:00:00Z",
    }  # fmt: skip
    assert body(messages.reply(EFFECT, EffectState.UNKNOWN, None, "", "", NOW)).get("record", "") == ""


def test_a_reply_is_new_when_something_has_happened() -> None:
    """Another state, attempt or query; said again, it is the same."""

    def said(state: EffectState = EffectState.UNKNOWN, **more: Any) -> InternalRow:
        return messages.reply(EFFECT._replace(**more), state, None, "", "", NOW + len(more))

    assert len(ids(said(), said(EffectState.REFUSED), said(attempts=2), said(queries=3), said(id="other"))) == 5
    assert said().id == said().id
    assert said().message.hex() == said().id.replace("-", "")


def test_a_foreign_record() -> None:
    """Of a request's payment or of one that was asked about."""
    given = msgspec.structs.replace(TAKEN, kind=RecordKind.REFUND, minor=None)
    row = messages.foreign(ASK, given, NOW)
    said = body(row)

    assert (row.name, row.correlation, row.traceparent, row.kind, row.key) == ("foreign_record.seen", "", "", "folio", "f")
    assert {name: said[name] for name in ("folio", "provider", "merchant", "payment", "record", "currency")} == {
        "folio": "f", "provider": "ogone", "merchant": "m", "payment": "p", "record": "r/1", "currency": "EUR",
    }  # fmt: skip
    assert said.get("minor", 0) == 0
    assert body(messages.foreign(EFFECT, msgspec.structs.replace(given, minor=7), NOW))["minor"] == 7
    refused = msgspec.structs.replace(given, result=Result.REFUSED)
    assert body(messages.foreign(ASK, refused, NOW))["result"] == "refused"
    assert len(ids(row, messages.foreign(ASK, refused, NOW), messages.foreign(ASK._replace(merchant="n"), given, NOW))) == 3
    assert messages.foreign(EFFECT, given, NOW).correlation == "c"


@pytest.mark.parametrize("result", [Result.CONFIRMED, Result.REFUSED, Result.REVERSED])
@pytest.mark.parametrize("first", [False, True])
def test_what_is_shown_of_the_payment_itself(result: Result, first: bool) -> None:
    """Each capture by its own name, and whether it is the payment itself."""
    row = messages.observed(ASK, msgspec.structs.replace(TAKEN, result=result), NOW, first=first)

    assert row is not None
    assert row.name == "payment_record.seen"
    assert body(row) == {
        "folio": "f", "payment": "p", "minor": 900, "currency": "EUR", "provider": "ogone", "merchant": "m", "reference": "r",
        "order": "o", "status": "9", "record": "r/1", "result": result.value, **({"first": True} if first else {}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "changes"),
    [
        (ASK, {"result": Result.UNKNOWN}),
        (ASK, {"result": Result.ACCEPTED}),
        (ASK, {"minor": None}),
        (ASK, {"kind": RecordKind.REFUND}),
        (ASK._replace(payment=""), {}),
    ],
)
def test_what_says_nothing_of_money_taken(item: PaymentAsk, changes: dict[str, Any]) -> None:
    """Is told to nobody."""
    assert messages.observed(item, msgspec.structs.replace(TAKEN, **changes), NOW) is None


def test_an_alarm() -> None:
    """Which brake, at what limit; told again when it holds again."""
    row = messages.alarm(EFFECT, "day_sum", 9_000, NOW)

    assert row.name == "payout.braked"
    wanted = {"effect": "e", "brake": "day_sum", "minor": 500, "currency": "EUR", "limit": 9_000}
    assert {name: body(row)[name] for name in wanted} == wanted
    assert len(ids(row, messages.alarm(EFFECT, "day_sum", 9_000, NOW + 1), messages.alarm(EFFECT, "velocity", 9_000, NOW))) == 3
