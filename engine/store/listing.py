"""Lists for operators: requests to providers, dead letters, what waits, balance requests, vouchers. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from engine.clock import micros
from engine.store.listed import BEGINNING, ListKind, Place
from engine.store.notices import BOUNCED, OPEN
from engine.store.reading import Reading
from engine.store.rows import Key
from engine.store.statements import batches, marks
from handlers.approval import AGAIN, approval_of, kind_of
from handlers.effect import FINAL
from schemas.effect import EffectState
from schemas.folio import Folio

Rows = list[dict[str, Any]]
_EFFECT: Final = (
    "id, tenant, folio, kind, provider, merchant, payment, reference, minor, currency, refund, state, reason,"
    " CASE WHEN state = 'planned' THEN needs_approval ELSE 0 END AS needs_approval, created_at, sent_at, next_at, attempts, queries, record"
)
_ORDER: Final = "ORDER BY created_at, id LIMIT ?"
_BY_RANK: Final = "ORDER BY rank, folio, item LIMIT ?"
_NOTICE: Final = (
    "id, tenant, folio, kind, attempt, audience, language, property, state, code, reason, tries, created_at, next_at, sent_at"
)
_LETTER: Final = "id, at, tenant, why, code, field, value, reason, door, name, kind, key, status"
_OPEN: Final = "state IN ('planned', 'sending', 'accepted', 'unknown')"
"""In these words, since by them the index of what is open is found."""
_PERSON: Final = "state = 'needs_person'"


def effects(reading: Reading, *, state: str = "", folio: str = "", every: bool = False, limit: int = 200) -> Rows:
    """Requests, oldest first: those of a state, or of a folio, or all; else those that are not final."""
    if folio:
        tenants = reading.tenants()
        return reading.rows(
            f"SELECT {_EFFECT} FROM effect WHERE tenant IN ({marks(len(tenants))}) AND folio = ? AND ? IN ('', state) {_ORDER}",
            (*tenants, folio, state, limit),
        )
    if not state and not every:
        both = " UNION ALL ".join(f"SELECT {_EFFECT} FROM effect WHERE {which}" for which in (_OPEN, _PERSON))
        return reading.rows(f"{both} {_ORDER}", (limit,))
    if state in FINAL or every:  # they lie in the order in which they were decided
        return reading.rows(f"SELECT {_EFFECT} FROM effect WHERE ? IN ('', state) {reading.by_arrival} LIMIT ?", (state, limit))
    which = _PERSON if state == EffectState.NEEDS_PERSON else _OPEN
    return reading.rows(f"SELECT {_EFFECT} FROM effect WHERE {which} AND state = ? {_ORDER}", (state, limit))


def effects_open(reading: Reading) -> dict[str, tuple[int, int]]:
    """How many requests are not final, by state, and since when (microseconds) the oldest was sent, or planned if it was not."""
    since = "coalesce(min(CASE WHEN sent_at > 0 THEN sent_at ELSE created_at END), 0) AS since"
    rows = reading.rows(
        f"SELECT state, count(*) AS n, {since} FROM effect WHERE {_OPEN} GROUP BY state"
        f" UNION ALL SELECT 'needs_person', count(*), {since} FROM effect WHERE {_PERSON}"
    )
    return {row["state"]: (row["n"], row["since"]) for row in rows}


def approvals(reading: Reading, limit: int = 10_000, *, now: int | None = None) -> Rows:
    """What waits for a second person (X-27, S4-46): payouts, then what waits in folios and is no request to a provider, as rows of the same
    shape. The latter by their reminders, none of which is later than a day after `now` (microseconds; None: any)."""
    latest = now + round(AGAIN.total_seconds()) * 1_000_000 if now is not None else 2**62
    payouts = reading.rows(
        f"SELECT {_EFFECT} FROM effect WHERE {_OPEN} AND effect.needs_approval = 1 AND state = 'planned' {_ORDER}",
        (limit,),
    )
    found = reading.rows(
        "SELECT tenant, key, subject FROM timer WHERE due <= ? AND what = 'approval' ORDER BY due, tenant, kind, key, name LIMIT ?",
        (latest, limit),
    )
    return [*payouts, *[held for row in found for held in _held(reading, row)]]


def _held(reading: Reading, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    known = reading.state(Key(row["tenant"], "folio", row["key"]))
    folio = msgspec.json.decode(known["body"], type=Folio) if known is not None and known["body"] else None
    one = approval_of(folio, row["subject"]) if folio is not None else None
    if folio is not None and one is not None:
        yield {
            "id": one.subject, "tenant": row["tenant"], "folio": row["key"], "kind": kind_of(one), "provider": "", "merchant": "",
            "payment": one.payment, "reference": "", "minor": one.minor, "currency": folio.currency, "refund": one.refund,
            "state": "planned", "reason": one.reason, "needs_approval": 1, "created_at": micros(one.asked_at), "sent_at": 0, "next_at": 0,
            "attempts": 0, "queries": 0, "record": "",
        }  # fmt: skip


def payouts_waiting(reading: Reading, tenant: str) -> int:
    """How many refunds of a tenant have not been sent."""
    found = reading.rows(
        f"SELECT count(*) AS n FROM effect WHERE {_OPEN} AND tenant || '' = ? AND kind = 'refund' AND state = 'planned'", (tenant,)
    )
    return int(found[0]["n"])


def histories_waiting(reading: Reading) -> int:
    """How many payments are to be asked for their history, since a callback named them."""
    return int(reading.rows("SELECT count(*) AS n FROM payment_query")[0]["n"])


def notices(reading: Reading, *, state: str = "", folio: str = "", every: bool = False, limit: int = 200) -> Rows:
    """Notices, oldest first: those of a state, or of a folio, or all; else those that are to be sent, and those that came back and were not
    written once more."""
    if folio:
        tenants = reading.tenants()
        return reading.rows(
            f"SELECT {_NOTICE} FROM notice WHERE tenant IN ({marks(len(tenants))}) AND folio = ? AND ? IN ('', state) {_ORDER}",
            (*tenants, folio, state, limit),
        )
    if state or every:
        return reading.rows(f"SELECT {_NOTICE} FROM notice WHERE ? IN ('', state) {_ORDER}", (state, limit))
    waiting = reading.rows(f"SELECT {_NOTICE} FROM notice WHERE {OPEN} {_ORDER}", (limit,))
    came_back = reading.rows(
        f"SELECT {_NOTICE} FROM notice WHERE {BOUNCED} AND NOT EXISTS (SELECT 1 FROM notice AS later WHERE"
        " later.tenant = notice.tenant AND later.folio = notice.folio AND later.kind = notice.kind"
        f" AND later.attempt > notice.attempt AND later.body = notice.body) {_ORDER}",
        (limit,),
    )
    return sorted(waiting + came_back, key=lambda row: (row["created_at"], row["id"]))[:limit]


def last_notice(reading: Reading, folio: str, kind: str) -> dict[str, Any] | None:
    """The latest notice of a kind in a folio, with what its text may say."""
    tenants = reading.tenants()
    found = reading.rows(
        f"SELECT {_NOTICE}, body FROM notice WHERE tenant IN ({marks(len(tenants))}) AND folio = ? AND kind = ?"
        " ORDER BY attempt DESC LIMIT 1",
        (*tenants, folio, kind),
    )
    return found[0] if found else None


def dead_letters(reading: Reading, *, tenant: str = "", every: bool = False, limit: int = 200) -> Rows:
    """Dead letters, oldest first; those that were replayed or discarded only with `every`."""
    which = "1 = 1" if every else "status = 'open'"
    return reading.rows(
        f"SELECT {_LETTER} FROM dead_letter WHERE {which} AND ? IN ('', tenant) ORDER BY at, id LIMIT ?", (tenant, limit)
    )


def dead_letter(reading: Reading, id_: str) -> dict[str, Any] | None:
    """One with everything that was kept."""
    found = reading.rows("SELECT * FROM dead_letter WHERE id = ?", (id_,))
    return found[0] if found else None


def page(
    reading: Reading,
    tenant: str,
    kind: ListKind,
    *,
    queues: Sequence[str],
    marked: Sequence[str],
    property_: str = "",
    after: Place = BEGINNING,
    limit: int,
) -> list[Place]:
    """At most `limit` entries behind `after`, in their order, of a tenant's list: those in one of `queues` with exactly one of `marked`,
    of one property if it is named. Each pair of these is one search, which reads no more than it gives."""
    where = "tenant = ? AND kind = ? AND queue = ? AND marks = ?" + (" AND property = ?" if property_ else "")
    one = f"SELECT rank, folio, item FROM listed WHERE {where} AND (rank, folio, item) > (?, ?, ?) {_BY_RANK}"
    values: list[object] = []
    parts: list[str] = []
    for queue in queues:
        for marks_ in marked:
            values += [tenant, kind.value, queue, marks_, *([property_] if property_ else []), *after, limit]
            parts.append(f"SELECT * FROM ({one}) AS part_{len(parts)}")
    if not parts:
        return []
    found = reading.rows(f"{' UNION ALL '.join(parts)} {_BY_RANK}", (*values, limit))
    return [Place(row["rank"], row["folio"], row["item"]) for row in found]


def folio_of_request(reading: Reading, tenant: str, request: str) -> str | None:
    """The folio of a tenant's balance request, or None: read off the index of the tenant's requests."""
    found = reading.rows(
        "SELECT folio FROM listed WHERE tenant = ? AND kind = ? AND item = ? LIMIT 1", (tenant, ListKind.BALANCE.value, request)
    )
    return str(found[0]["folio"]) if found else None


def bodies(reading: Reading, keys: Iterable[Key]) -> dict[Key, bytes]:
    """The states of these aggregates as they are stored; one that is not there is absent."""
    wanted = {key.digest(): key for key in keys}
    found: dict[Key, bytes] = {}
    for some in batches(list(wanted)):
        rows = reading.rows(f"SELECT id, body FROM state WHERE id IN ({marks(len(some))}) AND body IS NOT NULL", some)
        found.update((wanted[bytes(row["id"])], bytes(row["body"])) for row in rows)
    return found
