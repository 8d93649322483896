"""`foliohub balances`: what guests are asked to pay, by queue (S1-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from console.command.beside import opened
from console.command.options import Config, Json, Limit, OfProperty, Store, Tenant, existing_store
from console.command.showing import money, print_json, print_lines, table
from engine.balances import Asked, Wanted, page
from engine.collectable import collectable
from engine.pages import entries
from schemas.balance_request import BalanceStatus

app = typer.Typer(no_args_is_help=True, help="Balance requests: what guests are asked to pay.")


@app.command("list")
def list_(
    queue: Annotated[BalanceStatus | None, typer.Option("--queue", help="Of one queue; else the three that are live.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose deadline is over.")] = False,
    suspended: Annotated[bool, typer.Option("--suspended", help="Only those of which nothing is asked for now.")] = False,
    property_: OfProperty = "",
    limit: Limit = 200,
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """The earliest deadline first; of every tenant unless one is named.

    Exit 2 for a tenant or a property that is not known.
    """
    wanted = Wanted(queue=queue, overdue=overdue or None, suspended=suspended or None, property=property_)
    with opened(existing_store(store, config)) as beside:
        settled, now = beside.settled(), beside.now()

        def of(one: str, most: int) -> Iterator[Asked]:
            return entries(lambda after, size: page(beside.reading, settled, now, one, wanted, after=after, limit=size), most)

        rows = beside.of_tenants(tenant, property_, limit, of)
    if as_json:
        print_json(rows)
        return
    shown = (
        (
            row.folio,
            row.queue,
            money(row.amount, row.currency),
            row.deadline,
            row.send_on,
            _beside(row),
            row.link or "",
            row.request,
        )
        for row in rows
    )
    columns = ("folio", "queue", ">asked", "deadline", "mail", "beside", ">link", "id")
    table(columns, shown, empty="there are no such balance requests")


@app.command()
def payment(
    request: Annotated[str, typer.Argument(help="The id of a balance request that was answered.")],
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What the merchant charges it by: the live attempt with its token and mandate, never a card number.

    Exit 2 for one that is not known, or that has nothing to charge.
    """
    with opened(existing_store(store, config)) as beside:
        found = collectable(beside.reading, beside.owner(tenant), request)
    if as_json:
        print_json(found)
        return
    how = f"{found.method} {found.initiation}".rstrip()
    text = f" (text {found.mandate_version})" if found.mandate and found.mandate_version else ""
    print_lines(
        (
            f"balance request {found.request} of folio {found.folio}, attempt {found.attempt}",
            f"charge {money(found.amount, found.currency)} by {how}",
            *((f"card given by {found.through}",) if found.through else ()),
            f"token {found.token or 'none'}",
            f"mandate {found.mandate or 'none'}{text}",
        )
    )


def _beside(row: Asked) -> str:
    said = (
        f"overdue since {row.overdue_since}" if row.overdue_since else "",
        f"suspended until {row.suspended_until}" if row.suspended else "",
        "due on site" if row.due_on_site else "",
        "amount by hand" if row.fixed else "",
    )
    return ", ".join(word for word in said if word)
