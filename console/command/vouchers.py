"""`foliohub vouchers`: what the merchant has to check, and what every code is worth (S0-18)."""

from __future__ import annotations

from typing import Annotated

import typer

from console.command.beside import opened
from console.command.options import Config, Json, Store, Tenant, existing_store
from console.command.showing import money, print_json, table
from engine.vouchers import listed

app = typer.Typer(no_args_is_help=True, help="Vouchers: which stand on bookings, and what they are worth.")


@app.command("list")
def list_(
    to_check: Annotated[bool, typer.Option("--to-check", help="Only those that wait for the merchant's check.")] = False,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those with a warning.")] = False,
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Every number with its bookings, by number. Reads all vouchers of the store."""
    with opened(existing_store(store, config)) as beside:
        rows = list(listed(beside.reading, tenant=tenant, to_check=to_check, flagged=flagged))
    if as_json:
        print_json(rows)
        return
    shown = (
        (
            row.number,
            row.folio,
            money(row.typed, row.currency),
            row.status,
            row.origin,
            "" if row.remainder is None else money(row.remainder, row.currency),
            str(row.expires or ""),
            " ".join(row.flags),
        )
        for row in rows
    )
    table(
        ("number", "folio", ">typed", "status", "origin", ">left", "until", "warnings"), shown, empty="there are no such vouchers"
    )
