"""What a dry run prints: outcomes as they would have been published, decision records, balances, and what is not as it should end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from engine import cloudevents
from engine.store.reading import Reading, numbers_of
from engine.store.rows import OutboxRow
from ledger.chart import entry_of
from topics.catalogue import topic_of

_SHOWN: Final = 20
_DECISIONS = """
    SELECT decision.seq, decision.parent, decision.origin, decision.message, decision.tenant, decision.kind, decision.key,
    decision.name, decision.result, decision.act, decision.received_at, decision.decided_at, decision.record, intake.id AS input
    FROM decision LEFT JOIN intake ON decision.origin = 'intake' AND intake.lane = decision.lane AND intake.offset = decision.place
    WHERE decision.seq > ? ORDER BY decision.seq
"""
_TRANSFERS = "SELECT decision, entry, subject, debit, credit, minor, currency FROM transfer WHERE seq >= ? ORDER BY seq"
_REQUESTS = """
    SELECT id AS effect, business_key, kind, provider, merchant, payment, reference, minor, currency, needs_approval FROM effect
    WHERE tenant = ? AND folio = ? AND decision = ? ORDER BY business_key
"""
_BALANCES = """
    SELECT tenant, currency, account, CAST(sum(debit) AS BIGINT) AS debit, CAST(sum(credit) AS BIGINT) AS credit FROM (
    SELECT tenant, currency, debit AS account, minor AS debit, 0 AS credit FROM transfer UNION ALL
    SELECT tenant, currency, credit, 0, minor FROM transfer) AS side GROUP BY tenant, currency, account ORDER BY tenant, currency, account
"""


def published(row: OutboxRow) -> bytes:
    """An outcome with its topic and key."""
    return msgspec.json.encode({"topic": topic_of(row.name), "key": cloudevents.key_of(row), **cloudevents.event(row)})


class Explaining:
    """Decision records between the outcomes: each before what it published."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._last = self._told = 0

    def lines(self, outbox: Sequence[OutboxRow]) -> Iterator[bytes]:
        """The decisions since the last call, each with its outcomes after it."""
        told: dict[int, list[OutboxRow]] = {}
        numbers: dict[int, int] = {}  # a store may number with gaps; shown is how many came before
        for row in outbox:
            told.setdefault(row.decision, []).append(row)
        entries: dict[int, list[dict[str, Any]]] = {}
        for entry in self._reading.rows(_TRANSFERS, numbers_of(self._last + 1)[:1]):
            entries.setdefault(entry.pop("decision"), []).append(entry)
        for made in self._reading.rows(_DECISIONS, (self._last,)):
            self._last = seq = made["seq"]
            self._told += 1
            numbers[seq] = self._told
            outcomes = told.get(seq, [])
            requests = self._reading.rows(_REQUESTS, (made["tenant"], made["key"], seq)) if made["kind"] == "folio" else []
            yield _decision(
                {**made, "seq": self._told, "parent": numbers.get(made["parent"], 0)}, entries.get(seq, []), requests, outcomes
            )
            yield from map(published, outcomes)


def _decision(
    row: dict[str, Any], entries: list[dict[str, Any]], requests: list[dict[str, Any]], outcomes: Sequence[OutboxRow]
) -> bytes:
    record = msgspec.json.decode(row["record"])
    shown = {
        "decision": row["seq"],
        "under": row["parent"],
        "origin": row["origin"],
        "input": row["input"] or "",
        "message": str(UUID(bytes=row["message"])),
        "name": row["name"],
        "tenant": row["tenant"],
        "kind": row["kind"],
        "key": row["key"].replace("\x1f", "/"),
        "result": row["result"],
        "act": cloudevents.time_of(row["act"]),
        "received_at": cloudevents.time_of(row["received_at"]),
        "decided_at": cloudevents.time_of(row["decided_at"]),
        "policy_version": record.pop("policy", ""),
        "trace": [{"rule": rule, "text": text} for rule, text in record.pop("trace", [])],
        **record,
        "entries": entries,
        "requests": requests,
        "outcomes": [str(UUID(bytes=outcome.id)) for outcome in outcomes],
    }
    return msgspec.json.encode({"decision": shown})


def balances(reading: Reading) -> Iterator[bytes]:
    """Every account that was touched, by tenant, currency and name; `balance` is debit less credit, minor units."""
    for row in reading.rows(_BALANCES):
        kind = entry_of(row["account"]).kind.value
        yield msgspec.json.encode({"ledger": {**row, "kind": kind, "balance": row["debit"] - row["credit"]}})


def unsettled(reading: Reading) -> list[str]:
    """Open dead letters, blocked keys and parked messages, the first of each kind in words, the others counted."""
    found: list[str] = []
    for what, count, statement in (
        (
            "dead letter",
            "SELECT count(*) AS n FROM dead_letter WHERE status = 'open'",
            "SELECT id || ' (' || why || ', ' || code || ')' AS text, reason AS why FROM dead_letter WHERE status = 'open' ORDER BY at, id",
        ),
        (
            "blocked",
            "SELECT count(*) AS n FROM state WHERE blocked <> ''",
            "SELECT kind || ' ' || key AS text, 'behind dead letter ' || blocked AS why FROM state"
            " WHERE blocked <> '' ORDER BY tenant, kind, key",
        ),
        (
            "parked",
            "SELECT count(*) AS n FROM parked",
            "SELECT name || ' ' || id AS text, 'waits for ' || waits_for AS why FROM parked ORDER BY seq",
        ),
    ):
        total = reading.rows(count)[0]["n"]
        found += [
            f"{what}: {row['text']}: {row['why']}".replace("\x1f", "/") for row in reading.rows(f"{statement} LIMIT {_SHOWN}")
        ]
        if total > _SHOWN:
            found.append(f"{what}: and {total - _SHOWN} more")
    return found
