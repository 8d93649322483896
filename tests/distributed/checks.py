"""What must hold when a platform is quiet: the provider's books, the ledger, the outcomes and what was sent say the same."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.messages import REFUND
from config.loader import load
from engine.ledger_check import check as check_ledger
from engine.store.postgresql.database import Database
from engine.verify import verify
from schemas.registry import family
from tests.distributed.platform import Platform
from tests.distributed.topics import outcomes
from tests.services.amqp_tools import channel, wait_until


def wrongs(platform: Platform, stays: Sequence[str], sent: int, *, letters: int = 0, refused: int = 0) -> list[str]:
    """Everything that does not hold after these stays were booked, paid and cancelled with so many different messages.

    `letters`: dead letters that there must be. `refused`: refunds that a person said are not there.
    """
    return [*_money(platform, len(stays) - refused), *whole(platform, sent, letters=letters)]


def whole(platform: Platform, sent: int, *, letters: int = 0) -> list[str]:
    """What does not hold after so many different messages, whatever they said: none of them refused."""
    found = [*_once(platform, sent, letters), *_sequences(platform)]
    with closing(Database(platform.beside, writer=False)) as database:
        found += [f"ledger: {one}" for one in check_ledger(database).findings]
        found += [f"verify: {one}" for one in verify(database).differences]
    return found


def published(platform: Platform) -> list[str]:
    """Every outcome is on its topic; what came first of each key came in order; a second time it is the same."""
    heard = outcomes(platform.kafka)
    stored = platform.count("SELECT count(*) FROM outbox")
    first: dict[str, bytes] = {}
    last: dict[tuple[str, str, str], int] = defaultdict(int)
    wrong = []
    for topic, id_, key, body in heard:
        if id_ in first:
            if first[id_] != body:
                wrong.append(f"outcome {id_} came twice with different words")
            continue
        first[id_] = body
        sequence = json.loads(body)["sequence"]
        if sequence <= last[topic, *key]:
            wrong.append(f"{topic}: {key} has {sequence} after {last[topic, *key]}")
        last[topic, *key] = sequence
    return wrong if len(first) == stored else [*wrong, f"{stored} outcomes are stored, {len(first)} are on their topics"]


def queued(platform: Platform) -> list[str]:
    """The PMS has in its queue what it asked for; of each folio it came first in order, and a second time with the same words."""
    wait_until(lambda: not platform.count("SELECT count(*) FROM outbox_asked"), "its source has every outcome")
    wanted = platform.count("SELECT count(*) FROM outbox WHERE split_part(name, '.', 1) = ANY(%s)", list(_families(platform)))
    heard: dict[str, bytes] = {}
    wrong, last = [], defaultdict(int)
    with channel(platform.amqp) as at:
        count = at.queue_declare(platform.pms, passive=True).message_count
        letters: list[Any] = []
        at.basic_consume(platform.pms, no_ack=True, callback=letters.append)
        while len(letters) < count:
            at.connection.drain_events(timeout=10)
        for letter in letters:
            id_, body = letter.headers["cloudEvents:id"], json.loads(letter.body)
            if id_ in heard:
                if heard[id_] != letter.body:
                    wrong.append(f"in the queue: outcome {id_} came twice with different words")
                continue
            heard[id_] = letter.body
            if body["sequence"] <= last[letter.headers["cloudEvents:subject"]]:
                wrong.append(f"in the queue: {letter.headers['cloudEvents:subject']} has {body['sequence']} too late")
            last[letter.headers["cloudEvents:subject"]] = body["sequence"]
    return wrong if len(heard) == wanted else [*wrong, f"the PMS asked for {wanted} outcomes and has {len(heard)}"]


def _families(platform: Platform) -> frozenset[str]:
    sources = load(Path(platform.environment["FOLIOHUB_CONFIG"]), platform.environment).sources
    return frozenset(family(f"{name}.") for name in sources[platform.pms].outcomes)


def _once(platform: Platform, sent: int, letters: int) -> list[str]:
    """Every message was decided, none twice, none is set aside."""
    wrong = []
    sql = (
        "SELECT intake.message, count(decision.seq) AS fates FROM (SELECT DISTINCT message FROM intake) AS intake LEFT JOIN decision"
        " ON decision.message = intake.message AND decision.parent = 0 AND result NOT IN ('duplicate', 'conflict') GROUP BY 1"
    )
    fates = Counter(row["fates"] for row in platform.rows(sql))
    if fates != {1: sent}:
        wrong.append(f"{sent} messages were sent; decided so often: {dict(fates)}")
    for table, right in (("dead_letter", letters), ("parked", 0), ("blocked", 0)):
        if (count := platform.count(f"SELECT count(*) FROM {table}")) != right:
            wrong.append(f"{count} in {table}, not {right}")
    odd = platform.rows(
        "SELECT name, result, count(*) AS n FROM decision WHERE result IN ('defect', 'conflict', 'refused', 'queued') GROUP BY 1, 2"
    )
    return wrong + [f"decided as {row['result']}: {row['n']} {row['name']}" for row in odd]


def _money(platform: Platform, stays: int) -> list[str]:
    """The provider gave each stay its refund once, and ledger and outcomes say so."""
    wrong = []
    given = platform.provider_rows("SELECT payid, minor FROM operations WHERE operation IN ('RFD', 'RFS')")
    by_payment = Counter(row["payid"] for row in given)
    if len(by_payment) != stays or any(count != 1 for count in by_payment.values()):
        wrong.append(f"{stays} stays, {len(by_payment)} payments refunded, most often {max(by_payment.values(), default=0)}")
    at_provider = sum(row["minor"] for row in given)
    ledger = platform.count("SELECT coalesce(sum(minor), 0)::bigint FROM transfer WHERE credit = 'money:ogone/azur'")
    told = platform.count("SELECT count(*) FROM outbox WHERE name = 'refund.executed'")
    if not at_provider == ledger == told * REFUND == stays * REFUND:
        wrong.append(f"refunds: provider {at_provider}, ledger {ledger}, outcomes {told}, stays {stays}")
    return wrong


def _sequences(platform: Platform) -> list[str]:
    """Each key's outcomes are numbered without a gap, in the order of the numbers of their decisions."""
    last: dict[tuple[str, str, str], int] = defaultdict(int)
    wrong = []
    for row in platform.rows("SELECT tenant, kind, key, sequence FROM outbox ORDER BY seq"):
        key = (row["tenant"], row["kind"], row["key"])
        if row["sequence"] != last[key] + 1:
            wrong.append(f"{key} has {row['sequence']} after {last[key]}")
        last[key] = row["sequence"]
    return wrong
