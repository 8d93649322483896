"""The schema of a PostgreSQL store: a new one is made whole, under a lock, by whoever comes first; another release's is refused."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Final

from schemas.errors import HubError

if TYPE_CHECKING:
    from engine.store.postgresql.database import Link

SCHEMA_VERSION: Final = 1
_LOCK: Final = 0x666F6C696F  # one at a time makes or upgrades a store


def refuse_other_schema(link: Link, name: str) -> None:
    """Raises HubError `schema_newer` or `schema_older` for a store of another release."""
    if link.execute("SELECT to_regclass('foliohub.meta')").fetchone()[0] is None:
        return
    row = link.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    found = int(row[0]) if row else 0
    if found > SCHEMA_VERSION:
        raise HubError(
            f"{name}: schema version {found} is newer than this foliohub knows ({SCHEMA_VERSION}): upgrade foliohub",
            code="schema_newer", field="store", value=name,
        )  # fmt: skip
    if found < SCHEMA_VERSION:
        raise HubError(
            f"{name}: schema version {found} is older than this foliohub's ({SCHEMA_VERSION}): run `foliohub store upgrade`",
            code="schema_older", field="store", value=name,
        )  # fmt: skip


def refuse_arriving(link: Link, name: str) -> None:
    """Raises HubError `store_arriving` for a store that is moving here: until the old one is buried, this is none."""
    row = link.execute("SELECT value FROM meta WHERE name = 'arriving'").fetchone()
    if row is not None:
        raise HubError(
            f"{name}: a store is on its way here from {json.loads(row[0])['source']}: say `foliohub migrate` again, which ends its move"
            " or begins anew",
            code="store_arriving", field="store", value=name,
        )  # fmt: skip


def alone(link: Link) -> None:
    """Until the transaction ends nobody else makes, upgrades, moves or restores a store here."""
    link.raw.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def make_store(link: Link, lanes: int) -> None:
    """A store of so many lanes in a database that has none."""
    alone(link)
    if link.execute("SELECT to_regclass('foliohub.meta')").fetchone()[0] is not None:
        return
    link.raw.execute("CREATE SCHEMA IF NOT EXISTS foliohub")
    link.raw.execute(_script("schema.sql").encode())
    link.executemany("INSERT INTO lane VALUES (?, 0, 0, 0, NULL)", [(lane,) for lane in range(lanes)])
    link.executemany("INSERT INTO lane_end VALUES (?, 0)", [(lane,) for lane in range(lanes)])
    meta = {"schema": SCHEMA_VERSION, "lanes": lanes, "generation": 1, "sends": 0}
    link.executemany("INSERT INTO meta VALUES (?, ?)", [(name, str(value)) for name, value in meta.items()])


def _script(name: str) -> str:
    return resources.files("engine.store.postgresql").joinpath(name).read_text(encoding="utf-8")
