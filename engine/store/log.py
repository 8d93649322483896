"""What verification reads of a store: the log in its order, and the tables side by side.

Runs inside one `Store.read`, so that a hub may go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from engine.store.contract import Connection, Store
from engine.store.rows import LETTER, DeadLetterRow, Key, Waiting
from schemas.effect import EffectState


class Root(NamedTuple):
    """A decision that nothing in its transaction led to."""

    seq: int
    origin: str
    lane: int
    place: int
    message: bytes
    tenant: str
    kind: str
    key: str
    result: str
    decided_at: int
    configuration: int

    @property
    def owner(self) -> Key:
        """The aggregate that it was decided for."""
        return Key(self.tenant, self.kind, self.key)


class Led(NamedTuple):
    """A decision's number, and the aggregate that it was taken for."""

    seq: int
    owner: Key


class Side(NamedTuple):
    """A table as it is compared: the columns that name a row, those that must agree, and which rows count."""

    table: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    where: str = ""

    def owner(self, row: tuple[Any, ...]) -> Key | None:
        """The aggregate that a row is of; None for one that is of a lane."""
        of = dict(zip((*self.names, *self.values), row, strict=True))
        if "tenant" not in of:
            return None
        if self.table == "listed" and not of["folio"]:
            return Key(of["tenant"], of["kind"], of["item"])
        return Key(of["tenant"], *((of["kind"], of["key"]) if "key" in of else ("folio", of["folio"])))


SIDES: Final[tuple[Side, ...]] = (
    Side(
        "decision",
        ("seq",),
        (
            "parent", "since", "origin", "lane", "place", "message", "tenant", "kind", "key", "name", "result", "act", "received_at",
            "correlation", "traceparent", "record",
        ),
    ),
    Side("transfer", ("decision", "seq"), ("tenant", "folio", "entry", "subject", "debit", "credit", "minor", "currency")),
    Side("outbox", ("decision", "seq"), ("tenant", "kind", "key", "name", "sequence", "body")),
    Side("state", ("tenant", "kind", "key"), ("lane", "sequence", "shape", "blocked", "since", "body"), "version > 0"),
    Side("timer", ("tenant", "kind", "key", "name"), ("lane", "due", "what", "subject")),
    Side("parked", ("tenant", "kind", "key", "decision"), ("waits_for", "since", "message", "id", "name", "act", "body")),
    Side("blocked", ("tenant", "kind", "key", "seq"), ("dead_letter", "message", "id", "name", "act", "body")),
    Side("payment_total", ("tenant", "folio", "payment"), ("currency", "captured", "given_back")),
    Side("refund_part", ("tenant", "folio", "payment", "number"), ("refund", "minor")),
    Side(
        "effect",
        ("tenant", "business_key"),
        (
            "id", "folio", "lane", "kind", "provider", "merchant", "payment", "reference", "order_ref", "minor", "currency",
            "refund", "property", "last", "needs_approval", "decision", "created_at",
        ),
    ),
    Side(
        "notice",
        ("tenant", "folio", "kind", "attempt"),
        ("id", "lane", "audience", "language", "property", "body", "decision", "created_at"),
    ),
    Side("listed", ("tenant", "folio", "kind", "item"), ("property", "queue", "marks", "rank")),
    Side("contact", ("tenant", "folio"), ("subject", "body")),
    Side("dead_letter", ("id",), ("tenant", "kind", "key", "why", "reason", "bytes", "message", "name", "status"), "message IS NOT NULL"),
    Side("lane", ("lane",), ("next_offset",)),
)  # fmt: skip
"""Every table that decisions fill, in the order in which differences are told. What only the effects runner, the relay or an operator
beside the log writes is not in it."""
_NUMBERED: Final = frozenset({"transfer", "outbox", "blocked"})
"""Tables whose own number may differ between the two sides: there the order counts, not the number."""


class Log:
    """The store under verification."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store, self.connection = store, connection

    def roots(self) -> Iterator[Root]:
        """Every root decision, in the order in which they were taken."""
        statement = f"SELECT {', '.join(Root._fields)} FROM decision WHERE parent = 0 ORDER BY {self._store.by_decision}"
        yield from (Root(*row) for row in self._store.each(self.connection, statement))

    def led_to(self, roots: Sequence[Root]) -> dict[int, list[Led]]:
        """These decisions and what they led to, in order, by root."""
        among = (min(root.seq for root in roots), max(root.seq for root in roots))
        found = {root.seq: [Led(root.seq, root.owner)] for root in roots}
        rows = self.connection.execute(
            "SELECT parent, seq, tenant, kind, key FROM decision WHERE parent > 0 AND parent BETWEEN ? AND ? ORDER BY seq", among
        )
        for parent, seq, *owner in rows:
            found.setdefault(parent, []).append(Led(seq, Key(*owner)))
        return found

    def last(self) -> int:
        """The number of the last decision."""
        return int(self.connection.execute("SELECT coalesce(max(seq), 0) FROM decision").fetchone()[0])

    def message(self, root: Root) -> Waiting | None:
        """The message that a root decided; None if the log does not have it any more."""
        if root.origin == "intake":
            row = self.connection.execute(
                "SELECT 'intake', lane, intake.offset, message, tenant, source, id, name, kind, key, act, received_at, correlation,"
                " traceparent, body, fingerprint, scrubbed, seq FROM intake WHERE lane = ? AND intake.offset = ?",
                (root.lane, root.place),
            ).fetchone()
        else:
            row = self.connection.execute(
                "SELECT 'internal', lane, seq, message, tenant, source, id, name, kind, key, act, received_at, correlation,"
                " traceparent, body FROM internal WHERE seq = ?",
                (root.place,),
            ).fetchone()
        return Waiting(*row) if row else None

    def effects_shown(self, seq: int) -> Mapping[str, EffectState]:
        """The effects that the decision of this number was shown."""
        row = self.connection.execute("SELECT record FROM decision WHERE seq = ?", (seq,)).fetchone()
        shown: dict[str, str] = msgspec.json.decode(row[0]).get("effects", {}) if row else {}
        return {effect: EffectState(state) for effect, state in shown.items()}

    def defects(self, seqs: Collection[int]) -> dict[int, str]:
        """Reasons of the defects among these decisions."""
        rows = self.connection.execute(
            "SELECT seq, record FROM decision WHERE result = 'defect' AND seq BETWEEN ? AND ?", (min(seqs), max(seqs))
        )
        return {row[0]: msgspec.json.decode(row[1])["reason"] for row in rows}

    def kept_letter(self, id_: str) -> DeadLetterRow | None:
        """A dead letter that a door kept: no decision made it."""
        row = self.connection.execute(f"SELECT {LETTER} FROM dead_letter WHERE id = ? AND message IS NULL", (id_,)).fetchone()
        return DeadLetterRow(*row)._replace(status="open") if row else None

    def slices(self) -> set[int]:
        """Slices of time whose identities are still known."""
        return {slice_ for (slice_,) in self.connection.execute("SELECT slice FROM inbox_slice")}

    def gaps(self) -> bool:
        """Whether positions of a lane may be nobody's: the log is a broker's, where records lie that are no messages of ours."""
        found = self.connection.execute("SELECT value FROM meta WHERE name = 'log'").fetchone()
        return found is not None and found[0] != ""

    def lost(self) -> Iterator[tuple[int, int]]:
        """Lane and offset of messages that were passed over: nobody decided them."""
        yield from self._store.each(
            self.connection,
            "SELECT intake.lane, intake.offset FROM intake JOIN lane USING (lane) WHERE intake.offset < next_offset AND NOT EXISTS"
            " (SELECT 1 FROM decision WHERE decision.lane = intake.lane AND origin = 'intake' AND place = intake.offset AND parent = 0)",
        )


def side_rows(store: Store, connection: Connection, side: Side) -> Iterator[tuple[Any, ...]]:
    """A table's rows in the order of their names; for numbered ones the number within the decision or key."""
    names = list(side.names)
    if side.table in _NUMBERED:
        *owner, number = names
        names = [*owner, f"row_number() OVER (PARTITION BY {', '.join(owner)} ORDER BY {number})"]
    where = f" WHERE {side.where}" if side.where else ""
    order = ", ".join(str(place + 1) for place in range(len(names)))
    yield from store.each(connection, f"SELECT {', '.join([*names, *side.values])} FROM {side.table}{where} ORDER BY {order}")
