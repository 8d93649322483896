"""Who has what for a while, by the database's clock: jobs that only one process does, and lanes when no broker deals them out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from engine.store.contract import Tended
from engine.store.postgresql.database import Database

LEASE_S: Final = 10.0
_PROCESS, _MEMBER, _LANE = "process:", "member:", "lane:"
_HOLD: Final = (
    "INSERT INTO lease VALUES (%(name)s, %(owner)s, clock_timestamp() + make_interval(secs => %(for_s)s)) ON CONFLICT (name)"
    " DO UPDATE SET owner = excluded.owner, until = excluded.until"
    " WHERE lease.owner = excluded.owner OR lease.until < clock_timestamp() RETURNING name"
)


class Leases:
    """Rows of the store. A lease saves work; it guards nothing: what may be done once the store's own marks decide."""

    def __init__(self, database: Database, *, for_s: float = LEASE_S) -> None:
        self._database, self._for_s = database, for_s

    def hold(self, name: str, owner: str) -> bool:
        """Take or prolong a lease; False while another one has it. Raises StoreAway."""
        with self._database.write() as link:
            return link.raw.execute(_HOLD, {"name": name, "owner": owner, "for_s": self._for_s}).fetchone() is not None

    def give_back(self, name: str, owner: str) -> None:
        """Somebody else may have it at once. Raises StoreAway."""
        with self._database.write() as link:
            link.raw.execute("DELETE FROM lease WHERE name = %s AND owner = %s", (name, owner))

    # -- processes -------------------------------------------------------------------------------------------------------------

    def here(self, process: str) -> None:
        """Say that this process lives. Raises StoreAway."""
        self.hold(f"{_PROCESS}{process}", process)

    # -- lanes -----------------------------------------------------------------------------------------------------------------

    def tend(self, member: str) -> Tended:
        """Says that this member lives, prolongs its lanes' leases, takes free and expired ones up to its share. Raises StoreAway."""
        with self._database.write() as link:
            link.raw.execute("SELECT pg_advisory_xact_lock(hashtext('foliohub lanes'))")  # one counts at a time
            values = {"name": f"{_MEMBER}{member}", "owner": member, "for_s": self._for_s}
            link.raw.execute(_HOLD, values)
            link.raw.execute(
                "UPDATE lease SET until = clock_timestamp() + make_interval(secs => %(for_s)s)"
                " WHERE owner = %(owner)s AND starts_with(name, 'lane:')",
                values,
            )
            members = link.raw.execute(
                "SELECT count(*) FROM lease WHERE starts_with(name, 'member:') AND until >= clock_timestamp()"
            ).fetchone()
            assert members is not None
            rows = link.raw.execute(
                "SELECT name, owner FROM lease WHERE starts_with(name, 'lane:') AND until >= clock_timestamp()"
            ).fetchall()
            held = {int(name.removeprefix(_LANE)) for name, owner in rows if owner == member}
            others = {int(name.removeprefix(_LANE)) for name, owner in rows if owner != member}
            share = -(-self._database.lanes // max(1, members[0]))
            for lane in [lane for lane in range(self._database.lanes) if lane not in held | others][: max(0, share - len(held))]:
                if link.raw.execute(_HOLD, {**values, "name": f"{_LANE}{lane}"}).fetchone() is not None:
                    held.add(lane)
            return Tended(frozenset(held), frozenset(sorted(held)[share:]))

    def free(self) -> int:
        """How many lanes nobody has. Raises StoreAway."""
        with self._database.read() as link:
            row = link.execute(
                "SELECT count(*) FROM lease WHERE starts_with(name, 'lane:') AND until >= clock_timestamp()"
            ).fetchone()
            assert row is not None
            return self._database.lanes - int(row[0])

    def release(self, member: str, lanes: Collection[int]) -> None:
        """These lanes are free. Raises StoreAway."""
        with self._database.write() as link:
            names = [f"{_LANE}{lane}" for lane in lanes]
            link.raw.execute("DELETE FROM lease WHERE owner = %s AND name = ANY(%s)", (member, names))

    def leave(self, member: str) -> None:
        """Everything of this member's is free. Raises StoreAway."""
        with self._database.write() as link:
            link.raw.execute("DELETE FROM lease WHERE owner = %s", (member,))
