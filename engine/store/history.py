"""What happened to a folio, a message or a request, as rows: read for `engine.explain`. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.store.reading import SINCE, Reading, numbers_of
from engine.store.rows import Key
from engine.store.statements import marks

Rows = list[dict[str, Any]]


class History:
    """The past of one store."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    # -- finding ---------------------------------------------------------------------------------------------------------------

    def folio_keys(self, folio: str) -> list[Key]:
        """Folios of that id, of any tenant."""
        keys = [Key(tenant, "folio", folio) for tenant in self.reading.tenants()]
        return [key for key in keys if self.reading.state(key) is not None]

    def folios_of_name(self, namespace: str, value: str) -> list[Key]:
        """Folios that another name is bound to, of any tenant."""
        keys = [Key(tenant, "reference", f"{namespace}\x1f{value}") for tenant in self.reading.tenants()]
        rows = [row for key in keys if (row := self.reading.state(key)) is not None and row["body"] is not None]
        return [Key(row["tenant"], "reference", row["body"].decode()) for row in rows]

    def voucher_keys(self, number: str) -> list[Key]:
        """Vouchers of that number, in its one spelling, of any tenant."""
        keys = [Key(tenant, "voucher", number) for tenant in self.reading.tenants()] if number else []
        return [key for key in keys if self.reading.state(key) is not None]

    def effect(self, id_: str) -> dict[str, Any] | None:
        """A request's row."""
        found = self.reading.rows("SELECT * FROM effect WHERE id = ?", (id_,))
        return found[0] if found else None

    def intake(self, message: bytes) -> Rows:
        """The arrivals of a message, by the hub's id of it: the first, and what was sent again."""
        place = self.reading.place_of(message)
        if place is None:  # its slice of the inbox is gone, or nobody has decided it yet
            return self.reading.rows("SELECT * FROM intake WHERE message = ? ORDER BY seq LIMIT 20", (message,))
        return self.reading.rows("SELECT * FROM intake WHERE lane = ? AND intake.offset = ?", place)

    def intake_named(self, id_: str) -> Rows:
        """Arrivals whose sender called them so: a search through the whole log."""
        return self.reading.rows("SELECT * FROM intake WHERE id = ? ORDER BY seq LIMIT 20", (id_,))

    # -- telling ---------------------------------------------------------------------------------------------------------------

    def decisions_of(self, key: Key) -> Rows:
        """Everything that was decided for a key, in order."""
        return self.reading.rows(f"SELECT * FROM decision WHERE since = {SINCE} ORDER BY seq", (key.digest(),))

    def decisions_about(self, seqs: Sequence[int]) -> Rows:
        """These roots and what they led to, in order."""
        wanted = marks(len(seqs))
        return self.reading.rows(
            f"SELECT * FROM decision WHERE seq IN (SELECT seq FROM decision WHERE parent > 0 AND parent IN ({wanted})"
            f" UNION SELECT seq FROM decision WHERE seq IN ({wanted})) ORDER BY seq",
            (*seqs, *seqs),
        )

    def roots_of(self, lane: int, offset: int) -> list[int]:
        """The decision that took this place of the log."""
        rows = self.reading.rows(
            "SELECT seq FROM decision WHERE lane = ? AND origin = 'intake' AND place = ? AND parent = 0", (lane, offset)
        )
        return [row["seq"] for row in rows]

    def decision(self, seq: int) -> dict[str, Any] | None:
        """One decision."""
        found = self.reading.rows("SELECT * FROM decision WHERE seq = ?", (seq,))
        return found[0] if found else None

    def input_of(self, root: dict[str, Any], message: bytes) -> dict[str, Any] | None:
        """The message of a decision: of the log, or from inside. `root` is its root decision."""
        if root["origin"] == "intake" and root["message"] == message:
            found = self.reading.rows("SELECT * FROM intake WHERE lane = ? AND intake.offset = ?", (root["lane"], root["place"]))
        elif root["origin"] == "internal" and root["message"] == message:
            found = self.reading.rows("SELECT *, '' AS door FROM internal WHERE seq = ?", (root["place"],))
        else:  # it came earlier and was parked, or queued behind a defect
            found = self.intake(message)
        return found[0] if found else None

    def transfers_of(self, decision: int) -> Rows:
        """What a decision booked."""
        return self.reading.rows("SELECT * FROM transfer WHERE seq BETWEEN ? AND ? ORDER BY seq", numbers_of(decision))

    def effects_of(self, key: Key) -> Rows:
        """The requests of a folio, in the order in which they were decided."""
        return self.reading.rows(
            "SELECT * FROM effect WHERE tenant = ? AND folio = ? ORDER BY created_at, decision, id", (key.tenant, key.key)
        )

    def requested_by(self, tenant: str, folio: str, decision: int) -> list[str]:
        """The requests that a decision made."""
        rows = self.reading.rows(
            "SELECT id FROM effect WHERE tenant = ? AND folio = ? AND decision = ? ORDER BY id", (tenant, folio, decision)
        )
        return [row["id"] for row in rows]

    def evidence_of(self, merchant: str, reference: str) -> Rows:
        """Everything that was asked about a payment at its provider, and the answers."""
        return self.reading.rows("SELECT * FROM evidence WHERE merchant = ? AND reference = ? ORDER BY seq", (merchant, reference))

    def records_of(self, merchant: str, reference: str) -> Rows:
        """What the provider shows of a payment."""
        return self.reading.rows(
            "SELECT * FROM provider_record WHERE merchant = ? AND reference = ? ORDER BY length(level), level",
            (merchant, reference),
        )

    def policy(self, kind: str, version: str) -> bytes | None:
        """The content of a frozen policy version."""
        found = self.reading.rows("SELECT body FROM policy WHERE kind = ? AND version = ?", (kind, version))
        return bytes(found[0]["body"]) if found else None

    def waiting_of(self, key: Key) -> Rows:
        """What is parked for a key or queues behind its defect."""
        return self.reading.rows(
            "SELECT 'parked' AS how, waits_for AS reason, message, id, name, received_at FROM parked"
            " WHERE tenant = ? AND kind = ? AND key = ? UNION ALL SELECT 'blocked', dead_letter, message, id, name, received_at"
            " FROM blocked WHERE tenant = ? AND kind = ? AND key = ? ORDER BY received_at",
            (*key, *key),
        )
