"""The schema of a PostgreSQL store: a new one is made whole, under a lock, by whoever comes first; one that this release cannot run on
is refused.

A store says which schema it has, and which is the oldest whose release may still run on it (`compatible_from`): an upgrade that only adds
leaves the release before at work, any other wants every hub stopped (docs/decisions/0017).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final

from engine.store.contract import StoreTaken
from schemas.errors import HubError

if TYPE_CHECKING:
    from engine.store.postgresql.link import Link

SCHEMA_VERSION: Final = 3
AT_WORK: Final = "foliohub/"
"""How the connections of hubs are called, with the schema of their release behind it."""
_STEP: Final = re.compile(r"^(?=-- step )", re.MULTILINE)
_BESIDE: Final = re.compile(r"-- beside (\d+)\n")
_WAIT: Final = "5s"
"""How long a step waits for a table that hubs are at work on: everybody else waits behind it."""
LOCK: Final = 0x666F6C696F  # one at a time makes or upgrades a store


def refuse_other_schema(link: Link, name: str) -> None:
    """Raises HubError `schema_newer` or `schema_older` for a store of another release."""
    if link.execute("SELECT to_regclass('foliohub.meta')").fetchone()[0] is None:
        return
    found, since = versions(link)
    if since > SCHEMA_VERSION:
        raise HubError(
            f"{name}: schema version {found} is newer than this foliohub knows ({SCHEMA_VERSION}), and only releases of {since} and later"
            " may run on it: upgrade foliohub",
            code="schema_newer", field="store", value=name,
        )  # fmt: skip
    if found < SCHEMA_VERSION:
        raise HubError(
            f"{name}: schema version {found} is older than this foliohub's ({SCHEMA_VERSION}): run `foliohub store upgrade`",
            code="schema_older", field="store", value=name,
        )  # fmt: skip


def versions(link: Link) -> tuple[int, int]:
    """The store's schema, and the oldest schema whose release may run on it."""
    known = dict(link.execute("SELECT name, value FROM meta WHERE name IN ('schema', 'compatible_from')").fetchall())
    schema = int(known.get("schema", 0))
    return schema, int(known.get("compatible_from", schema))


def at_work(link: Link) -> Sequence[int]:
    """The schema of the release of each connection that hubs and commands beside them have to this store."""
    rows = link.execute(
        "SELECT substr(application_name, ?) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND starts_with(application_name, ?)",
        (len(AT_WORK) + 1, AT_WORK),
    ).fetchall()
    return [int(row[0]) for row in rows]


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
    (they begin with a line `-- step`) is told before it is done. A script whose first line is `-- beside 7` leaves releases of schema 7
    and later at work. Raises StoreTaken while others have the store open who could not go on."""
    alone(link)
    found, _ = versions(link)
    if found >= version:
        return False
    folder = scripts or resources.files("engine.store.postgresql").joinpath("upgrades")
    script = folder.joinpath(f"{found + 1}.sql").read_text(encoding="utf-8")
    beside = _BESIDE.match(script)
    since = int(beside[1]) if beside else found + 1
    others = [release for release in at_work(link) if release < since]
    if others:
        raise StoreTaken(
            f"{name}: {len(others)} connections of releases before schema {since} have this store open: stop"
            f" {'those hubs' if beside else 'every hub on it'} first",
            field="store", value=name,
        )  # fmt: skip
    link.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
    steps = [step for step in _STEP.split(script[beside.end() :] if beside else script) if step.strip()]
    for number, step in enumerate(steps, 1):
        what = step.strip().partition("\n")[0].removeprefix("-- step ")
        tell(f"version {found + 1}, step {number} of {len(steps)}: {what}")
        link.raw.execute(step.encode())
    link.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [("schema", str(found + 1)), ("compatible_from", str(since))],
    )
    return found + 1 < version


def _script(name: str) -> str:
    return resources.files("engine.store.postgresql").joinpath(name).read_text(encoding="utf-8")
