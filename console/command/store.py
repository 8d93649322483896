"""`foliohub store`: how a store stands, how long its data is kept, and the way to this release's schema for one that many have."""

from __future__ import annotations

import sys

import typer
from msgspec.structs import replace

from console.command.options import Config, Json, Store, configured, existing_store
from console.command.showing import print_json, table
from engine.store.opening import driver, is_database
from engine.store.status import standing
from schemas.errors import HubError
from topics.retention import CLASSES, RetentionClass, retention

app = typer.Typer(no_args_is_help=True, help="The store itself: how it stands, and its schema.")


@app.command()
def status(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """Engine, schema, lanes, generation, how much there is, and whether it is here, has moved, or is still arriving."""
    found = standing(existing_store(store, config))
    if as_json:
        print_json(found)
        return
    print(f"{found.store}: {found.engine}, {found.size} bytes, schema {found.schema} of {found.known_schema}")
    print(f"{found.state.upper() if found.state != 'here' else 'here'}{f', {found.where}' if found.where else ''}")
    print(f"generation {found.generation}, last decision {found.last_decision}")
    print(", ".join(f"{count} {name}" for name, count in found.rows.items()))
    used = [one for one in found.lanes if one.next_offset or one.waiting]
    rows = ((one.lane, one.epoch, one.next_offset, one.waiting) for one in used)
    table((">lane", ">epoch", ">next", ">waiting"), rows, empty="no lane has had a message")
    if len(used) < len(found.lanes):
        print(f"{len(found.lanes)} lanes, {len(found.lanes) - len(used)} of them without a message yet")


@app.command("retention")
def retention_(config: Config = None, as_json: Json = False) -> None:
    """How long each table, topic and personal field is kept, what ends it, and why."""
    hub = configured(config).hub
    classes = {name: replace(one, days=getattr(hub, one.setting) if one.setting else one.days) for name, one in CLASSES.items()}
    kinds = retention()
    if as_json:
        print_json({"classes": list(classes.values()), "kinds": kinds})
        return
    rows = [(one.name, _days(one), "yes" if one.by_itself else "no", one.ends, one.why) for one in classes.values()]
    table(("class", ">kept", "by itself", "ends", "why"), rows)
    print()
    table(("kind", "name", "class"), [(one.kind, one.name, one.retention_class) for one in kinds])


def _days(one: RetentionClass) -> str:
    return f"{one.days} d" if one.days is not None else "–"


@app.command()
def upgrade(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """Bring a PostgreSQL store to this release's schema, a version a transaction. A version that only adds leaves hubs of the release
    before at work; any other wants them stopped. A file is upgraded by `run`.

    Exit 3 while somebody has it open who could not go on.
    """
    address = existing_store(store, config)
    if not is_database(address):
        raise HubError(f"{address} is a file: `foliohub run` upgrades it", code="not_a_database", field="store", value=address)
    with driver():
        from engine.store.postgresql.standing import upgraded
    before, now = upgraded(address, lambda line: print(line, file=sys.stderr))
    if as_json:
        print_json({"before": before, "now": now})
    else:
        print(f"schema {now}, as it was" if before == now else f"schema {now}, {before} before")
