"""`foliohub dead-letters`: what the hub could not use, with the reason; decide it again or give it up."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from console.command.beside import Beside, opened
from console.command.options import By, Config, Json, Key, Reason, Store, Tenant, Url, Wait, existing_store
from console.command.showing import print_json, print_lines, stamp, table, when
from console.command.telling import tell
from engine.explain import FORGOTTEN
from engine.letters import dead_letter_subject
from engine.store import listing
from schemas.errors import HubError

app = typer.Typer(no_args_is_help=True, help="What the hub could not use.")
Letter = Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id.")]
_SHOWN = ("id", "tenant", "why", "code", "field", "value", "reason", "door", "name", "kind", "status")


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed or discarded.")] = False,
    tenant: Tenant = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 200,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Dead letters, oldest first. Exit 2 for a tenant that is not known."""
    with opened(existing_store(store, config)) as beside:
        beside.tenants(tenant)
        rows = listing.dead_letters(beside.reading, tenant=tenant, every=every, limit=limit)
    if as_json:
        print_json([_shown(row) for row in rows])
        return
    shown = ((row["id"], when(row["at"]), row["why"], row["door"], row["code"], row["reason"], row["status"]) for row in rows)
    table(("id", "at", "why", "door", "code", "reason", "status"), shown, empty="no dead letters")


@app.command()
def show(
    letter: Letter,
    personal: Annotated[bool, typer.Option("--personal", help="Open the kept bytes of what no door could read.")] = False,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One dead letter with its attributes and what was kept of it. Exit 2 for no such dead letter."""
    with opened(existing_store(store, config)) as beside:
        row = listing.dead_letter(beside.reading, letter)
        if row is None:
            text = f"no dead letter is called {letter!r}: see `foliohub dead-letters list`"
            raise HubError(text, code="unknown_dead_letter", field="id", value=letter)
        found = {**_shown(row), "attributes": msgspec.json.decode(row["attributes"]), "body": _body(beside, row, personal)}
    if as_json:
        print_json(found)
    else:
        print_lines(f"{name:12} {value}" for name, value in found.items() if value not in ("", None))


@app.command()
def replay(
    letter: Letter, reason: Reason = "", by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 5.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Decide it again, and what queued behind it. Only a defect: what was wrong with anything else is for its sender to correct."""
    tell(
        "dead_letter.replay", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json,
        subject=letter, reason=reason,
    )  # fmt: skip


@app.command()
def discard(
    letter: Letter, reason: Reason = "", by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 5.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Give it up; what queued behind it goes on."""
    tell(
        "dead_letter.discard", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json,
        subject=letter, reason=reason,
    )  # fmt: skip


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in _SHOWN}
    return {**told, "at": stamp(row["at"]), "key": row["key"].replace("\x1f", "=")}


def _body(beside: Beside, row: dict[str, Any], personal: bool) -> str:
    """A message keeps its personal fields sealed; bytes that no door could read are sealed as a whole."""
    if row["message"] is not None:
        return bytes(row["bytes"]).decode(errors="replace")
    if not personal:
        return f"({len(row['bytes'])} bytes, sealed: --personal opens them)"
    opened_ = beside.vault.open_bytes(row["tenant"], dead_letter_subject(row["at"]), row["bytes"])
    return FORGOTTEN if opened_ is None else opened_.decode(errors="replace")
