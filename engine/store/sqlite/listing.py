"""Lists for operators: requests to providers, dead letters, what waits. Nothing is written here."""

from __future__ import annotations

from typing import Any, Final

from engine.store.sqlite.reading import SqliteReading

Rows = list[dict[str, Any]]
_EFFECT: Final = (
    "id, tenant, folio, kind, provider, merchant, payment, reference, minor, currency, refund, state, reason,"
    " needs_approval AND state = 'planned' AS needs_approval, created_at, sent_at, next_at, attempts, queries, record"
)
_LETTER: Final = "id, at, tenant, why, code, field, value, reason, door, name, kind, key, status"
_OPEN: Final = "state IN ('planned', 'sending', 'accepted', 'unknown', 'needs_person')"


def effects(reading: SqliteReading, *, state: str = "", folio: str = "", every: bool = False, limit: int = 200) -> Rows:
    """Requests, oldest first: those of a state, or of a folio, or all; else those that are not final."""
    return reading.rows(
        f"SELECT {_EFFECT} FROM effect WHERE (CASE WHEN ?1 <> '' THEN state = ?1 WHEN ?2 OR ?3 <> '' THEN 1 ELSE {_OPEN} END)"
        " AND ?3 IN ('', folio) ORDER BY created_at, id LIMIT ?4",
        (state, int(every), folio, limit),
    )


def approvals(reading: SqliteReading, limit: int = 10_000) -> Rows:
    """Payouts that wait for a second person (X-27)."""
    return reading.rows(
        f"SELECT {_EFFECT} FROM effect WHERE effect.needs_approval = 1 AND state = 'planned' ORDER BY created_at, id LIMIT ?",
        (limit,),
    )


def payouts_waiting(reading: SqliteReading, tenant: str) -> int:
    """How many refunds of a tenant have not been sent."""
    found = reading.rows("SELECT count(*) AS n FROM effect WHERE tenant = ? AND kind = 'refund' AND state = 'planned'", (tenant,))
    return int(found[0]["n"])


def histories_waiting(reading: SqliteReading) -> int:
    """How many payments are to be asked for their history, since a callback named them."""
    return int(reading.rows("SELECT count(*) AS n FROM payment_query")[0]["n"])


def dead_letters(reading: SqliteReading, *, tenant: str = "", every: bool = False, limit: int = 200) -> Rows:
    """Dead letters, oldest first; those that were replayed or discarded only with `every`."""
    return reading.rows(
        f"SELECT {_LETTER} FROM dead_letter WHERE (status = 'open' OR ?1) AND ?2 IN ('', tenant) ORDER BY at, id LIMIT ?3",
        (int(every), tenant, limit),
    )


def dead_letter(reading: SqliteReading, id_: str) -> dict[str, Any] | None:
    """One with everything that was kept."""
    found = reading.rows("SELECT * FROM dead_letter WHERE id = ?", (id_,))
    return found[0] if found else None
