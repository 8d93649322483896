"""The schema of a PostgreSQL store: a new one is made whole, under a lock, by whoever comes first; another release's is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final

from engine.store.contract import StoreTaken
from schemas.errors import HubError

if TYPE_CHECKING:
    from engine.store.postgresql.database import Link

SCHEMA_VERSION: Final = 1
_STEP: Final = re.compile(r"^(?=-- step )", re.MULTILINE)
LOCK: Final = 0x666F6C696F  # one at a time makes or upgrades a store


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
    link.raw.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))


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


def upgrade(link: Link, name: str, version: int, tell: Callable[[str], None], scripts: Traversable | None = None) -> bool:
    """One version on towards `version`, inside a transaction of its own; False when there is nothing left to do. Each step of a script
    (they begin with a line `-- step`) is told before it is done. Raises HubError while others have the store open."""
    alone(link)
    row = link.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    found = int(row[0]) if row else 0
    if found >= version:
        return False
    others = link.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'foliohub'"
        " AND pid <> pg_backend_pid()"
    ).fetchone()[0]
    if others:
        raise StoreTaken(f"{name}: {others} others have this store open: stop every hub on it first", field="store", value=name)
    folder = scripts or resources.files("engine.store.postgresql").joinpath("upgrades")
    steps = [step for step in _STEP.split(folder.joinpath(f"{found + 1}.sql").read_text(encoding="utf-8")) if step.strip()]
    for number, step in enumerate(steps, 1):
        what = step.strip().partition("\n")[0].removeprefix("-- step ")
        tell(f"version {found + 1}, step {number} of {len(steps)}: {what}")
        link.raw.execute(step.encode())
    link.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(found + 1),))
    return found + 1 < version


def _script(name: str) -> str:
    return resources.files("engine.store.postgresql").joinpath(name).read_text(encoding="utf-8")
