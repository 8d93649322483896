"""`foliohub vouchers`: what the merchant has to check, and what every code is worth (S0-18)."""

from __future__ import annotations

from typing import Annotated

import typer

from console.command.beside import opened
from console.command.options import Config, Json, Limit, OfProperty, Store, Tenant, existing_store
from console.command.showing import money, print_json, table
from engine.pages import entries
from engine.vouchers import Wanted, page
from schemas.voucher import VoucherStatus

app = typer.Typer(no_args_is_help=True, help="Vouchers: which stand on bookings, and what they are worth.")


@app.command("list")
def list_(
    status: Annotated[VoucherStatus | None, typer.Option("--status", help="What a booking says of it.")] = None,
    to_check: Annotated[bool, typer.Option("--to-check", help="Only those that wait for the merchant's check.")] = False,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those with a warning.")] = False,
    property_: OfProperty = "",
    limit: Limit = 200,
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Numbers with their bookings, by number; of every tenant unless one is named.

    Exit 2 for a tenant or a property that is not known.
    """
    wanted = Wanted(status=status, to_check=to_check, flagged=flagged or None, property=property_)
    with opened(existing_store(store, config)) as beside:
        rows = beside.of_tenants(
            tenant,
            property_,
            limit,
            lambda one, most: entries(lambda after, size: page(beside.reading, one, wanted, after=after, limit=size), most),
        )
    if as_json:
        print_json(rows)
        return
    shown = (
        (
            row.number,
            row.folio,
            money(row.typed, row.typed_currency),
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
