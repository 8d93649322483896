"""What must hold when a stage is quiet again: the provider's books, the ledger, the outcomes and what was acknowledged say the same."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

import requests

from engine.ledger_check import check as check_ledger
from engine.store.sqlite.database import Database
from engine.verify import verify
from tests.kills.folios import Stay
from tests.kills.stage import Stage
from tests.services.amqp_tools import channel

MONEY = "money:ogone/azur"
WANTED = frozenset({"effect", "booking", "payment", "receipt", "folio", "cancellation", "refund", "stock", "commission", "message"})
"""Families of outcomes that the stage's PMS asks for: all that are about folios."""
ENDED = "('confirmed', 'refused', 'reversed')"


class Sums(NamedTuple):
    """Refunds in cents, as each book has them."""

    provider: int
    ledger: int
    outcomes: int


def wrongs(stage: Stage, stays: Sequence[Stay], heard: list[dict[str, Any]]) -> tuple[list[str], Sums]:
    """Everything that does not hold, and what was given back. `heard`: all that the PMS found in its queue so far."""
    told = _over_http(stage)
    captured, refunded = _provider(stage)
    sums = Sums(refunded, _ledger(stage)[1], sum(_executed(told).values()))
    found = [stay.failed for stay in stays if stay.failed]
    found += [*_messages(stage, stays), *_effects(stage), *_once(stage), *_folios(stage, told), *_outcomes(stage, told, heard)]
    if _ledger(stage) != (captured, refunded):
        found.append(f"at the provider: the ledger has {_ledger(stage)} taken and given back, the provider {captured, refunded}")
    if len(set(sums)) != 1:
        found.append(f"refunds differ: {sums}")
    with closing(Database(str(stage.store), writer=False)) as database:
        found += [f"ledger: {one}" for one in check_ledger(database).findings]
        found += [f"verify: {one}" for one in verify(database).differences]
    return found, sums


def listen(stage: Stage) -> list[dict[str, Any]]:
    """What lies in the PMS's queue now, taken and acknowledged."""
    heard: list[dict[str, Any]] = []

    def hear(letter: Any) -> None:
        worn = letter.headers or {}
        heard.append({"id": worn["cloudEvents:id"], "subject": worn["cloudEvents:subject"], "data": json.loads(letter.body)})

    with channel(stage.amqp) as at:
        count = at.queue_declare(f"{stage.name}.pms", passive=True).message_count
        at.basic_consume(f"{stage.name}.pms", callback=hear, no_ack=True)
        while len(heard) < count:
            at.connection.drain_events(timeout=10)
    return heard


def _provider(stage: Stage) -> tuple[int, int]:
    """What stands captured and refunded in the provider's books."""
    sql = "SELECT operation, sum(minor) AS minor FROM operations WHERE status IN ('8', '9') GROUP BY operation"
    sums = {row["operation"]: row["minor"] for row in stage.provider_rows(sql)}
    return sums.get("SAL", 0), sums.get("RFD", 0) + sums.get("RFS", 0)


def _ledger(stage: Stage) -> tuple[int, int]:
    """What the ledger says was taken at the provider and given back."""
    sql = "SELECT coalesce(sum(minor), 0) AS minor FROM transfer WHERE "
    taken, given = (stage.rows(f"{sql} {side} = ?", MONEY)[0]["minor"] for side in ("debit", "credit"))
    return taken, given


def _executed(told: list[dict[str, Any]]) -> Counter[str]:
    """What outcomes say was given back, by folio."""
    sums: Counter[str] = Counter()
    for event in told:
        if event["type"] in ("foliohub.refund.executed.v1", "foliohub.refund.reversed.v1"):
            sums[event["subject"]] += event["data"]["amount"] * (1 if "executed" in event["type"] else -1)
    return sums


def _messages(stage: Stage, stays: Sequence[Stay]) -> list[str]:
    """What was acknowledged is in the log and was decided exactly once; nothing was set aside."""
    sql = """SELECT one.id, count(decision.seq) AS fates FROM (SELECT DISTINCT id, message FROM intake) AS one
        LEFT JOIN decision ON decision.message = one.message AND decision.origin IN ('intake', 'inline')
        AND decision.result IN ('decided', 'refused', 'stale') GROUP BY one.message"""
    fates = {row["id"]: row["fates"] for row in stage.rows(sql)}
    wrong = [
        f"{told.id} was acknowledged by {told.by} and is not in the log"
        for stay in stays
        for told in stay.told
        if told.id not in fates
    ]
    wrong += [f"{id_} was decided {count} times" for id_, count in fates.items() if count != 1]
    for table in ("dead_letter", "parked", "blocked"):
        wrong += [f"{table}: {row}" for row in stage.rows(f"SELECT * FROM {table}")]
    wrong += [f"decided as {row['result']}: {row['name']} of {row['key']}" for row in
              stage.rows("SELECT * FROM decision WHERE result IN ('defect', 'conflict', 'refused', 'queued')")]  # fmt: skip
    return wrong


def _effects(stage: Stage) -> list[str]:
    """Every request has ended; each of the provider's refunds is exactly one request's."""
    wrong = [
        f"effect {row['id']} is {row['state']}: {row['reason']}"
        for row in stage.rows(f"SELECT * FROM effect WHERE state NOT IN {ENDED}")
    ]
    owners = {(row["reference"], row["level"]): row["owner"] for row in stage.rows("SELECT * FROM provider_record")}
    bound = Counter(owner for owner in owners.values() if owner.startswith("effect:"))
    wrong += [f"{owner} has {count} records" for owner, count in bound.items() if count > 1]
    for row in stage.provider_rows("SELECT * FROM operations WHERE operation IN ('RFD', 'RFS')"):
        owner = owners.get((row["payid"], str(row["level"])), "nobody")
        if not owner.startswith("effect:"):
            wrong.append(f"refund {row['payid']}/{row['level']} of {row['minor']} is {owner}'s")
    return wrong


def _once(stage: Stage) -> list[str]:
    """No request came to the provider more often than it was decided, whatever it made of it."""
    decided = Counter(
        (row["reference"], row["minor"]) for row in stage.rows("SELECT reference, minor FROM effect WHERE kind = 'refund'")
    )
    came: Counter[tuple[str, int]] = Counter()
    for row in stage.provider_rows("SELECT fields FROM requests WHERE endpoint = 'maintenance'"):
        fields = json.loads(row["fields"])
        if fields.get("AMOUNT", "").isdigit() and fields.get("PAYID"):
            came[fields["PAYID"], int(fields["AMOUNT"])] += 1
    return [f"{payid}: asked {count} times for {minor}, decided {decided[payid, minor]} times"
            for (payid, minor), count in came.items() if count > decided[payid, minor]]  # fmt: skip


def _folios(stage: Stage, told: list[dict[str, Any]]) -> list[str]:
    """Folio by folio: the provider's refunds are the outcomes', and the folio's own."""
    wrong = []
    sql = """SELECT order_id, (SELECT coalesce(sum(minor), 0) FROM operations WHERE operations.payid = payments.payid
        AND operation IN ('RFD', 'RFS') AND status = '8') AS minor FROM payments"""
    refunded = {row["order_id"]: row["minor"] for row in stage.provider_rows(sql)}
    executed = _executed(told)
    for row in stage.rows("SELECT key, body FROM state WHERE kind = 'folio' AND body IS NOT NULL"):
        payments = json.loads(row["body"]).get("payments", ())
        own = sum(payment.get("refunded", 0) for payment in payments)
        if not refunded[row["key"]] == executed[row["key"]] == own:
            wrong.append(f"{row['key']}: provider {refunded[row['key']]}, outcomes {executed[row['key']]}, folio {own}")
    return wrong


def _outcomes(stage: Stage, told: list[dict[str, Any]], heard: list[dict[str, Any]]) -> list[str]:
    """Numbered without a gap, over HTTP and over the broker, which may repeat an outcome and must not change it."""
    wrong = _gaps("over HTTP", [(event["subject"], event["data"]["sequence"]) for event in told])
    wrong += [f"outcome {id_} stands twice" for id_, count in Counter(event["id"] for event in told).items() if count > 1]
    stored = stage.rows("SELECT count(*) AS n FROM outbox")[0]["n"]
    if stored != len(told):
        wrong.append(f"over HTTP {len(told)} outcomes, {stored} are stored")
    if stage.amqp:
        first: dict[str, dict[str, Any]] = {}
        for message in heard:
            if first.setdefault(message["id"], message) != message:
                wrong.append(f"outcome {message['id']} came twice with different words")
        asked = {event["id"]: event["data"] for event in told if event["type"].split(".")[1] in WANTED}
        if {id_: message["data"] for id_, message in first.items()} != asked:
            wrong.append(
                f"on the broker were {len(first)} outcomes, {len(asked)} are what the PMS asked for, or their words differ"
            )
        wrong += _gaps("on the broker", [(message["subject"], message["data"]["sequence"]) for message in first.values()])
    return wrong


def _gaps(where: str, numbers: list[tuple[str, int]]) -> list[str]:
    wrong, last = [], defaultdict(int)
    for key, number in numbers:
        if number != last[key] + 1:
            wrong.append(f"{where}: {key} has {number} after {last[key]}")
        last[key] = number
    return wrong


def _over_http(stage: Stage) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    after = 0
    while True:
        answer = requests.get(
            f"{stage.url}/outcomes", params={"after": after, "limit": 1000},
            headers={"Authorization": f"Bearer {stage.keys['read']}"}, timeout=10,
        )  # fmt: skip
        answer.raise_for_status()
        page = answer.json()
        if not page["outcomes"]:
            return events
        events += page["outcomes"]
        after = page["next"]
