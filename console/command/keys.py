"""`foliohub keys`: who may say what at the gateway. A key is printed once; the store keeps only its hash."""

from __future__ import annotations

from typing import Annotated

import typer

from config.settings import Configuration
from console.command.beside import opened
from console.command.options import Config, Json, Store, Tenant, configured, existing_store
from console.command.showing import print_json, table
from engine.keys import CHANNEL, SCOPES
from schemas.errors import HubError

app = typer.Typer(no_args_is_help=True, help="Keys of the gateway's doors.")
_SCOPES = ", ".join((*SCOPES, f"{CHANNEL}<name>"))


@app.command()
def add(
    scope: Annotated[str, typer.Option("--scope", help=f"What it opens: {_SCOPES}.")] = "messages",
    label: Annotated[str, typer.Option("--label", help="Whose it is, for people.")] = "",
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once. Exit 2 for a scope, tenant or channel that does not exist."""
    with opened(existing_store(store, config)) as beside:
        owner = beside.tenant(tenant)
        if scope.startswith(CHANNEL):
            _check_channel(scope.removeprefix(CHANNEL), owner, configured(config))
        added, text = beside.keys.add(owner, scope, label)
    if as_json:
        print_json({"id": added.id, "key": text, "tenant": added.tenant, "scope": added.scope, "label": added.label})
    else:
        print(text)


def _check_channel(channel: str, tenant: str, configuration: Configuration) -> None:
    known = sorted(name for name, one in configuration.channels.items() if one.tenant == tenant)
    if channel not in known:
        text = (
            f"tenant {tenant!r} has no channel {channel!r} in {configuration.folder}; it has {', '.join(known) or 'none'}: name one of"
            " these, or another folder with --config"
        )
        raise HubError(text, code="unknown_channel", field="scope", value=f"{CHANNEL}{channel}")


@app.command()
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id, see `keys list`.")],
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """The key opens nothing any more, within a second. Exit 2 for a key that opens nothing already."""
    with opened(existing_store(store, config)) as beside:
        beside.keys.revoke(id_)
    if as_json:
        print_json({"id": id_, "revoked": True})
    else:
        print(f"{id_} opens nothing any more")


@app.command("list")
def list_(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """All keys, without the keys themselves."""
    with opened(existing_store(store, config)) as beside:
        rows = beside.keys.list()
    if as_json:
        print_json(rows)
        return
    shown = ((row.id, row.tenant, row.scope, row.label, row.created_at[:19], row.revoked_at[:19]) for row in rows)
    table(("id", "tenant", "scope", "label", "made", "revoked"), shown, empty="no keys")
