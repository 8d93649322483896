"""What the decisions of a lane transaction ask of the outside, on PostgreSQL: requests and their moves, questions about payments, notices,
contacts, switches, keys that are destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.store.chunk_write import ChunkWrite
from engine.store.contract import Constraint
from engine.store.postgresql.columns import given, insert
from engine.store.postgresql.link import Link
from engine.store.requests import QueryRow

_MOVE: Final = (
    "UPDATE effect SET state = %(state)s::text, needs_approval = 0, reason = %(reason)s, record = CASE"
    " WHEN %(state)s::text = 'refused' THEN '' WHEN %(record)s::text = '' OR EXISTS (SELECT 1 FROM provider_record AS known"
    " WHERE known.merchant = effect.merchant AND known.reference = effect.reference AND known.level = %(record)s::text"
    " AND known.owner <> 'effect:' || effect.id) THEN record ELSE %(record)s::text END, next_at = %(at)s, fence = fence + 1"
    " WHERE id = %(effect)s AND position(' ' || state || ' ' IN %(allowed)s::text) > 0 RETURNING record"
)


def write_requests(link: Link, chunk: ChunkWrite) -> None:
    """In the order of whoever else writes them."""
    insert(link, "effect", chunk.effects)
    for move in sorted(chunk.moves, key=lambda move: move.effect):  # in the order of whoever else has several
        moved = link.raw.execute(_MOVE, move._asdict()).fetchone()
        if moved is None:
            raise Constraint(f"effect {move.effect} is not {move.allowed.strip()} any more", field="effect", value=move.effect)
        link.raw.execute(  # what the provider showed and a person says is not its own: the next query finds whose it is
            "DELETE FROM provider_record WHERE owner = %s AND starts_with(owner, 'effect:') AND level <> %s",
            (f"effect:{move.effect}", moved[0]),
        )
    insert(
        link, "payment_query", [(*row, 0, 0) for row in _latest(chunk.queries)],
        "ON CONFLICT (merchant, reference) DO UPDATE SET due = least(payment_query.due, excluded.due), tenant = excluded.tenant,"
        " folio = excluded.folio, payment = excluded.payment, lease_until = 0",
        order="merchant, reference",
    )  # fmt: skip
    insert(link, "notice", chunk.notices)
    for bounce in sorted(chunk.bounces, key=lambda bounce: bounce.id):
        link.raw.execute("UPDATE notice SET state = 'bounced', code = %s, reason = '', fence = fence + 1 WHERE id = %s", bounce)
    insert(
        link, "contact", list(chunk.contacts.values()),
        "ON CONFLICT (tenant, folio) DO UPDATE SET subject = excluded.subject, body = excluded.body",
        order="tenant, folio",
    )  # fmt: skip
    insert(
        link, "payout_switch", list({row.tenant: row for row in sorted(chunk.switches, key=lambda row: row.at)}.values()),
        "ON CONFLICT (tenant) DO UPDATE SET stopped = excluded.stopped, by = excluded.by, reason = excluded.reason,"
        " at = excluded.at WHERE payout_switch.at <= excluded.at",
    )  # fmt: skip
    if chunk.forgotten:
        link.raw.execute(
            f"DELETE FROM subject_key USING {given('tenant, subject', 'tt')}"
            " WHERE subject_key.tenant = given.tenant AND subject_key.subject = given.subject",
            [list(column) for column in zip(*chunk.forgotten, strict=True)],
        )


def _latest(queries: Sequence[QueryRow]) -> list[QueryRow]:
    """One wish for each payment: one statement cannot write a row twice. The last says whose it is, the earliest when."""
    found: dict[tuple[str, str], QueryRow] = {}
    for row in queries:
        before = found.get((row.merchant, row.reference))
        found[row.merchant, row.reference] = row if before is None else row._replace(due=min(row.due, before.due))
    return list(found.values())
