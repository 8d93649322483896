"""What must hold when a world is quiet: nothing lost, nothing twice, everything told once and in order, and the log makes of itself
what the store says. The money is in `books`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.lane import DIED
from engine.transport.contract import Outgoing
from engine.verify import verify
from handlers.notice_table import BY_KIND
from schemas.effect import EffectState
from schemas.folio import Folio
from schemas.notice import NoticeKind, NoticeState
from schemas.registry import fact_name, family
from tests.simulation.books import ledger, provider, told
from tests.simulation.orders import orders
from tests.simulation.vouchers import vouchers

if TYPE_CHECKING:
    from tests.simulation.world import World

ENDED = {EffectState.CONFIRMED, EffectState.REFUSED, EffectState.REVERSED, EffectState.NEEDS_PERSON}
INBOX_US = 35 * 86_400_000_000  # later than that a message may come as if it were new: business keys protect
WANTED = {"booking", "payment", "receipt", "folio", "cancellation", "refund", "stock", "commission", "message"}
FATES = {"decided", "refused", "stale", "defect"}


class Broken(AssertionError):
    """What does not hold, all of it."""


def check(world: World) -> None:
    """Raises Broken with everything that is wrong."""
    wrong: list[str] = [*world.holds.broken]
    folios = [
        msgspec.json.decode(row["body"], type=Folio)
        for row in world.rows("SELECT body FROM state WHERE kind = 'folio' AND body IS NOT NULL")
    ]
    for one in (_messages, _internal, _revisions, _sequences, _published, _effects):
        wrong += one(world)
    wrong += _notices(world, folios)
    wrong += ledger(world, folios)
    wrong += provider(world, folios)
    wrong += told(world, folios)
    wrong += vouchers(world, folios) if world.with_vouchers else []
    wrong += world.mails.wrong(folios) if world.mails is not None else []
    wrong += [*world.asked.wrong(folios), *orders(world)] if world.asked is not None else []
    wrong += [f"verify: {difference}" for difference in verify(world.disk).differences]
    if wrong:
        raise Broken(f"seed {world.seed}:\n  " + "\n  ".join(wrong))


def _messages(world: World) -> list[str]:
    """Each accepted message has exactly one fate, or waits where somebody sees it."""
    wrong = []
    roots = Counter(
        (row["lane"], row["place"]) for row in world.rows("SELECT lane, place FROM decision WHERE origin = 'intake' AND parent = 0")
    )
    stored = world.rows("SELECT lane, offset, message, fingerprint, id, source, name, received_at FROM intake ORDER BY seq")
    wrong += [f"{row['name']} {row['id']}: {roots[row['lane'], row['offset']]} decisions of offset {row['offset']}"
              for row in stored if roots[row["lane"], row["offset"]] != 1]  # fmt: skip
    wrong += [f"a decision of no message: {place}" for place in roots.keys() - {(row["lane"], row["offset"]) for row in stored}]
    wrong += _conflicts(stored, world.rows("SELECT lane, place, result FROM decision WHERE origin = 'intake' AND parent = 0"))
    fates: Counter[bytes] = Counter()
    for row in world.rows("SELECT message, result FROM decision WHERE origin IN ('intake', 'inline')"):
        fates[row["message"]] += row["result"] in FATES
    for row in world.rows("SELECT message FROM dead_letter WHERE why = 'defect' AND status = 'replayed'"):
        fates[row["message"]] -= 1
    waiting = Counter(row["message"] for row in world.rows("SELECT message FROM parked UNION ALL SELECT message FROM blocked"))
    first: dict[bytes, int] = {}
    late: Counter[bytes] = Counter()
    for row in stored:
        late[row["message"]] += row["received_at"] - first.setdefault(row["message"], row["received_at"]) >= INBOX_US
    for row in {row["message"]: row for row in stored}.values():
        times = fates[row["message"]] + waiting[row["message"]]
        if not 1 <= times <= 1 + late[row["message"]]:
            wrong.append(f"{row['name']} {row['id']}: {fates[row['message']]} fates, waits {waiting[row['message']]} times")
    known = {(row["source"], row["id"]) for row in stored}
    letters = len(world.rows("SELECT 1 FROM dead_letter WHERE why = 'undecodable'"))
    lost = world.accepted.keys() - known
    if len(lost) > letters:
        wrong.append(
            f"{len(lost)} messages were acknowledged and are not in the log, {letters} are dead letters: {sorted(lost)[:3]}"
        )
    wrong += [
        f"defect: {row['name']} {row['record'].decode()}"
        for row in world.rows("SELECT name, record FROM decision WHERE result = 'defect'")
        if DIED not in row["record"].decode()
    ]
    wrong += [
        f"dead letter {row['id']} is open"
        for row in world.rows("SELECT id FROM dead_letter WHERE why = 'defect' AND status = 'open'")
    ]
    wrong += [f"blocked: {row['key']}" for row in world.rows("SELECT key FROM state WHERE blocked <> ''")]
    return wrong


def _conflicts(stored: Sequence[Mapping[str, Any]], decisions: Sequence[Mapping[str, Any]]) -> list[str]:
    """X-1: the same identity with another body is a conflict, and with the same body none."""
    results = {(row["lane"], row["place"]): row["result"] for row in decisions}
    first: dict[bytes, Mapping[str, Any]] = {}
    wrong = []
    for row in stored:
        before = first.setdefault(row["message"], row)
        if before is row or row["received_at"] - before["received_at"] >= INBOX_US:
            continue
        result, another = results.get((row["lane"], row["offset"])), row["fingerprint"] != before["fingerprint"]
        if result != ("conflict" if another else "duplicate"):
            wrong.append(f"{row['name']} {row['id']} came before with {'another' if another else 'the same'} body: {result}")
    return wrong


def _internal(world: World) -> list[str]:
    """What aggregates told one another was decided, once; no timer was forgotten."""
    decided = Counter(row["place"] for row in world.rows("SELECT place FROM decision WHERE origin = 'internal' AND parent = 0"))
    rows = world.rows("SELECT seq, name, decision FROM internal")
    wrong = [f"internal {row['name']} {row['seq']}: {decided[row['seq']]} decisions" for row in rows if decided[row["seq"]] != 1]
    due = world.rows("SELECT name FROM timer WHERE due <= ?", (world.clock.now(),))
    return wrong + [f"timer {row['name']} never fired" for row in due]


def _revisions(world: World) -> list[str]:
    """No booking was made of an older revision after a newer one of the same source."""
    wrong: list[str] = []
    last: dict[tuple[str, str], int] = {}
    for row in world.rows(
        "SELECT decision.key, intake.source, intake.id, intake.body FROM decision JOIN intake ON intake.message = decision.message"
        " AND intake.fingerprint = (SELECT fingerprint FROM intake AS first WHERE first.message = decision.message ORDER BY seq LIMIT 1)"
        " WHERE decision.kind = 'folio' AND decision.result = 'decided' AND intake.name LIKE 'booking.%' ORDER BY decision.seq"
    ):
        revision = msgspec.json.decode(row["body"]).get("revision")
        if revision is None:  # taken as it comes
            continue
        if revision < last.setdefault((row["key"], row["source"]), revision):
            wrong.append(f"{row['id']} is revision {revision} and was taken after {last[row['key'], row['source']]}")
        last[row["key"], row["source"]] = max(last[row["key"], row["source"]], revision)
    return wrong


def _sequences(world: World) -> list[str]:
    """Outcomes of a key are numbered from 1 without gap, in order; no id is used twice."""
    wrong, last, ids = [], defaultdict(int), Counter()
    for row in world.outcomes():
        number = msgspec.json.decode(row.body)["sequence"]
        if number != last[row.kind, row.key] + 1:
            wrong.append(f"{row.kind} {row.key}: {row.name} is {number} after {last[row.kind, row.key]}")
        last[row.kind, row.key] = number
        ids[row.id] += 1
    return wrong + [f"outcome id {id_.hex()} used {count} times" for id_, count in ids.items() if count > 1]


def _published(world: World) -> list[str]:
    """A broker got every outcome, in order, and a repeat says what was said before."""
    got: dict[int, Outgoing] = {}
    wrong = []
    for one in world.broker.stream:
        if got.setdefault(one.row, one) != one:
            wrong.append(f"the broker has outcome {one.row} twice, in other words: {one}")
    if list(got) != sorted(got):
        wrong.append("the broker has outcomes out of order")
    wanted = [row.seq for row in world.outcomes() if family(row.name) in WANTED]
    if list(got) != wanted:
        wrong.append(
            f"the broker has {len(got.keys() - set(wanted))} outcomes of nobody's, {len(set(wanted) - got.keys())} it never got"
        )
    return wrong


def _effects(world: World) -> list[str]:
    """Every effect ends, or waits for a person's word with a reason; each record has one owner."""
    wrong = []
    for row in world.rows("SELECT * FROM effect"):
        if row["state"] not in ENDED and not (row["state"] == EffectState.PLANNED and row["needs_approval"]):
            wrong.append(f"effect {row['id']} is {row['state']} ({row['reason']})")
        if row["state"] == EffectState.NEEDS_PERSON and not row["reason"]:
            wrong.append(f"effect {row['id']} needs a person and does not say why")
        if world.writes.get(row["id"], 0) > 1:
            wrong.append(f"effect {row['id']} was written to the wire {world.writes[row['id']]} times")
        if row["record"]:
            owner = world.rows(
                "SELECT owner FROM provider_record WHERE merchant = ? AND reference = ? AND level = ?",
                (row["merchant"], row["reference"], row["record"]),
            )
            if [one["owner"] for one in owner] != [f"effect:{row['id']}"]:
                wrong.append(f"effect {row['id']} has record {row['record']}, which is {owner}")
    turned = world.rows("SELECT reference, level FROM provider_record WHERE kind = 'refund' AND owner = 'payment'")
    wrong += [f"refund {row['reference']}/{row['level']} is taken for the payment's own" for row in turned]
    wrong += [f"{row['reference']} is still to be asked for" for row in world.rows("SELECT reference FROM payment_query")]
    late = Counter(row["effect"] for row in world.rows("SELECT effect FROM evidence WHERE act = 'late'"))
    wrong += [f"effect {effect}: an answer that came late is no evidence" for effect in world.late - late.keys()]
    return wrong


def _notices(world: World, folios: Sequence[Folio]) -> list[str]:
    """S1-41, X-14: one notice an occasion, numbered without gap; each was told once, after its fact, and its folio knows it."""
    wrong = []
    rows = {row["id"]: row for row in world.rows("SELECT id, folio, kind, attempt FROM notice")}
    known = {one.notice: folio.folio for folio in folios for one in folio.notices}
    said: Counter[str] = Counter()
    facts: set[tuple[str, str]] = set()
    for row in world.outcomes():
        facts.add((row.key, row.name))
        if row.name != "notice.requested":
            continue
        notice = msgspec.json.decode(row.body)
        said[notice["notice"]] += 1
        about = BY_KIND[NoticeKind(notice["kind"])].about
        if (row.key, fact_name(about)) not in facts:
            wrong.append(f"{row.key}: {notice['kind']} was told before {fact_name(about)}")
    if not rows.keys() == known.keys() == said.keys() or any(count > 1 for count in said.values()):
        wrong.append(f"notices: {len(rows)} rows, {len(known)} in folios, {sum(said.values())} told of {len(said)}")
    wrong += [
        f"notice {id_} is {row['folio']}'s, and {known.get(id_)} has it"
        for id_, row in rows.items()
        if known.get(id_) != row["folio"]
    ]
    attempts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows.values():
        attempts[row["folio"], row["kind"]].append(row["attempt"])
    wrong += [f"{whose}: attempts {found}" for whose, found in attempts.items() if sorted(found) != list(range(1, len(found) + 1))]
    occasions = Counter((folio.folio, one.kind, one.occasion) for folio in folios for one in folio.notices)
    occasions.subtract(_written_again(world, folios))
    last = {(folio.folio, one.kind, one.occasion): one.notice for folio in folios for one in folio.notices}
    wrong += [
        f"{folio.folio}: {one.kind} ({one.attempt}) was taken by the server, and written about again"
        for folio in folios
        for one in folio.notices
        if one.state is NoticeState.SENT and one.notice != last[folio.folio, one.kind, one.occasion]
    ]
    return wrong + [f"{occasion} was written about {count} times" for occasion, count in occasions.items() if count > 1]


def _written_again(world: World, folios: Sequence[Folio]) -> Iterator[tuple[str, str, str]]:
    """X-15: what an operator wanted written once more, by what it is about."""
    about = {one.notice: (folio.folio, one.kind, one.occasion) for folio in folios for one in folio.notices}
    for row in world.rows(
        "SELECT intake.body FROM decision JOIN intake ON intake.lane = decision.lane AND intake.offset = decision.place"
        " WHERE decision.origin = 'intake' AND decision.parent = 0 AND decision.name = 'notice.resend' AND decision.result = 'decided'"
    ):
        yield about[msgspec.json.decode(row["body"])["notice"]]
