"""`foliohub folios`: how an account stands, as `GET /folios/{id}` tells it (S4-22)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from console.command.beside import opened, unknown_folio
from console.command.options import Config, Json, Store, Tenant, existing_store
from console.command.showing import money, print_json, print_lines, table
from engine.standing import told
from engine.transactions import Recoverable, Transaction

app = typer.Typer(no_args_is_help=True, help="Folios: how an account stands.")


@app.command()
def show(
    folio: Annotated[str, typer.Argument(help="Its id.")],
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ordered beside collected, what moved, what could be given back now, what is asked for. Nothing about people.

    Exit 2 for one that is not known.
    """
    with opened(existing_store(store, config)) as beside:
        found = told(beside.reading, beside.settled(), beside.now(), beside.owner(tenant), folio)
    if found is None:
        raise unknown_folio(folio)
    if as_json:
        print_json(found)
        return
    print_lines(_lines(found))
    _tables(found["currency"], found["transactions"], found["recoverable"]["tenders"])


def _lines(found: dict[str, Any]) -> Iterator[str]:
    currency, sums, later = found["currency"], found["sums"], found["not_yet_collected"]
    yield f"folio {found['folio']}: {found['status']}{', BLOCKED' if found['blocked'] else ''}"
    ordered, collected, balance = (money(sums[name], currency) for name in ("ordered", "collected", "balance"))
    yield f"ordered {ordered} − collected {collected} = balance {balance}"
    yield from (f"{name}, not collected: {money(minor, currency)}" for name, minor in later.items() if minor)
    yield f"could be given back now: {money(found['recoverable']['total'], currency)}"
    if "code" not in found["if_cancelled_now"]:
        yield f"if cancelled now: {money(found['if_cancelled_now']['refund'], currency)} come back"
    for request in found["balance_requests"]:
        until = f", suspended until {request['suspended_until']}" if request["suspended"] else ""
        since = f", overdue since {request['overdue_since']}" if request["overdue_since"] else ""
        asked = f"{money(request['amount'], currency)} by the end of {request['deadline']}, mail on {request['send_on']}"
        yield f"balance request {request['request']}: {request['queue']}, {asked}{until}{since}"
    for voucher in found["vouchers"]:
        flags = f", {' '.join(voucher.flags)}" if voucher.flags else ""
        yield f"voucher {voucher.number}: {voucher.status}, {money(voucher.typed, currency)} typed{flags}"
    for notice in found["notices"]:
        code = f" ({notice['code']})" if notice["code"] else ""
        yield f"notice {notice['kind']} to the {notice['audience']}: {notice['state']}{code} {notice['sent_at']}".rstrip()


def _tables(currency: str, moved: Sequence[Transaction], tenders: Sequence[Recoverable]) -> None:
    rows = (
        (one.at or "not yet", one.kind, one.payment, one.tender, money(one.amount, currency), one.state, one.refund or one.voucher)
        for one in moved
    )
    table(("at", "kind", "payment", "by", ">amount", "state", "of"), rows, empty="nothing has moved")
    names = [name for name in Recoverable.__struct_fields__ if name not in ("payment", "tender")]
    rows_ = ((one.tender, *(money(getattr(one, name), currency) for name in names)) for one in tenders)
    if tenders:
        table(("by", *(f">{name.replace('_', ' ')}" for name in names)), rows_)
