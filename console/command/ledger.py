"""`foliohub ledger`: is the book true, and what stands on its accounts."""

from __future__ import annotations

from typing import Annotated

import typer

from console.command.beside import opened
from console.command.failing import Exit
from console.command.options import Config, Json, Store, Tenant, existing_store
from console.command.showing import money, print_json, table
from engine import ledger_check

app = typer.Typer(no_args_is_help=True, help="The double-entry book: check it, read it.")


@app.command()
def check(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """Sums are zero, every folio's accounts say what its state says, and refunds are what providers show.

    Exit 0 when the book is true, 1 when something was found.
    """
    with opened(existing_store(store, config)) as beside:
        found = ledger_check.check(beside.database)
    if as_json:
        print_json({"true": found.true, "transfers": found.transfers, "folios": found.folios, "effects": found.effects,
                    "findings": found.findings})  # fmt: skip
    else:
        rows = [
            (one.rule, one.tenant, one.subject, money(one.ledger, one.currency), money(one.other, one.currency), one.text)
            for one in found.findings
        ]
        if rows:
            table(("rule", "tenant", "what", ">ledger", ">against", "which is"), rows)
        size = f"{found.transfers} transfers, {found.folios} folios, {found.effects} requests"
        print(f"{'true' if found.true else 'NOT TRUE'}: {size}")
    if not found.true:
        raise typer.Exit(Exit.FOUND)


@app.command()
def balance(
    account: Annotated[str, typer.Argument(help="`guest:B-1001`, `money:*`; all when left out.")] = "",
    folio: Annotated[str, typer.Option("--folio", help="Only what was booked for this folio.")] = "",
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Balances by account, debit minus credit.

    Exit 1 when nothing was ever booked there, 2 for a folio or a tenant that is not known.
    """
    with opened(existing_store(store, config)) as beside:
        beside.check_folio(folio, beside.tenants(tenant))
        rows = list(ledger_check.balances(beside.reading, tenant=tenant, folio=folio, name=account))
    if as_json:
        print_json(rows)
    else:
        shown = (
            (row.tenant, row.account, row.kind, money(row.debit, row.currency), money(row.credit, row.currency),
             money(row.balance, row.currency))
            for row in rows
        )  # fmt: skip
        table(("tenant", "account", "kind", ">debit", ">credit", ">balance"), shown, empty="nothing was booked there")
    if not rows:
        raise typer.Exit(Exit.FOUND)
