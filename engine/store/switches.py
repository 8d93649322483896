"""Switches that a person sets directly in the store: they hold from the next send on, whatever the hub is doing."""

from __future__ import annotations

from collections.abc import Mapping

from engine.store.contract import Store
from engine.store.rows import SwitchRow


class Switches:
    """Payouts of each tenant: stopped or not."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> Mapping[str, SwitchRow]:
        """Those that were ever set, by tenant."""
        with self._store.read() as connection:
            rows = connection.execute("SELECT tenant, stopped, by, reason, at FROM payout_switch ORDER BY tenant")
            return {row[0]: SwitchRow(*row) for row in rows}

    def set(self, row: SwitchRow) -> None:
        """Durable when it returns. Raises StoreBusy when somebody else holds the file for longer than its patience, StoreAway when it
        cannot be written."""
        with self._store.write() as connection:
            connection.execute(
                "INSERT INTO payout_switch VALUES (?,?,?,?,?) ON CONFLICT (tenant) DO UPDATE SET stopped = excluded.stopped,"
                " by = excluded.by, reason = excluded.reason, at = excluded.at",
                row,
            )
