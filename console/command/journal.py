"""`foliohub journal`: one day of one tenant's book, for accountants."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace

from console.command.beside import Beside, opened
from console.command.options import Config, Json, Store, Tenant, existing_store
from console.command.showing import money, print_json, table
from engine.journal import journal_of
from engine.journal_answer import DaySums, Journal, JournalTransfer


def journal(
    day: Annotated[str, typer.Option("--day", help="A day of the property's zone, `2026-05-31`.")],
    property_: Annotated[str, typer.Option("--property", help="Of this property alone.")] = "",
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """A day's transfers with their VAT, sums by account, what is owed on vouchers, receipts without a home.

    Exit 2 for a day that is none, and for a tenant or a property that is not known.
    """
    with opened(existing_store(store, config)) as beside:
        told = _whole(beside, beside.owner(tenant), day, property_)
    if as_json:
        print_json(told)
        return
    print(f"{told.day}, {told.property or 'all properties'}, {told.zone}")
    table(
        ("booked at", "folio", "recipe", "about", "debit", "credit", ">amount", ">VAT", "rate"),
        [_shown(one) for one in told.transfers],
        empty="nothing was booked",
    )
    if told.sums is not None and told.transfers:
        _show_sums(told.sums)
    if told.sums is not None:
        _show_held(told.sums)


def _whole(beside: Beside, tenant: str, day: str, property_: str) -> Journal:
    """All pages as one."""
    settled = beside.settled()
    first = page = journal_of(beside.reading, settled, tenant, day, property_=property_)
    transfers = list(first.transfers)
    while page.next is not None:
        page = journal_of(beside.reading, settled, tenant, day, property_=property_, after=page.next)
        transfers += page.transfers
    return replace(first, transfers=tuple(transfers), next=None)


def _shown(one: JournalTransfer) -> tuple[str, ...]:
    vat = "" if one.vat is None else money(one.vat, one.currency)
    amount = money(one.amount, one.currency)
    return (f"{one.at:%H:%M:%S}Z", one.folio, one.entry, one.subject, one.debit, one.credit, amount, vat, one.vat_rate or "")


def _show_sums(sums: DaySums) -> None:
    accounts = ((one.account, one.kind, money(one.debit, one.currency), money(one.credit, one.currency)) for one in sums.accounts)
    table(("account", "kind", ">debit", ">credit"), accounts)
    if sums.vat:
        vat = (
            (one.entity, one.what, one.vat_rate, money(one.amount, one.currency), money(one.vat, one.currency)) for one in sums.vat
        )
        table(("entity", "what", "rate", ">amount", ">VAT"), vat)


def _show_held(sums: DaySums) -> None:
    if sums.vouchers:
        rows = [
            (
                one.entity,
                *(money(minor, one.currency) for minor in (one.opening, one.issued, one.redeemed, one.expired, one.closing)),
            )
            for one in sums.vouchers
        ]
        table(("vouchers of", ">opening", ">issued", ">redeemed", ">expired", ">closing"), rows)
    if sums.unapplied:
        table(("without a home", ">amount"), ((one.folio, money(one.amount, one.currency)) for one in sums.unapplied))
