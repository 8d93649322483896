"""`foliohub effects` and `foliohub approvals`: requests to providers, what became of them, and what waits for a person."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from console.command.beside import opened
from console.command.explaining import request_lines
from console.command.options import By, Config, Json, Key, Reason, Store, Tenant, Url, Wait, existing_store
from console.command.showing import money, print_json, print_lines, stamp, table
from console.command.telling import tell
from engine.clock import SystemClock
from engine.explain import explain
from engine.store import listing
from schemas.effect import EffectState
from schemas.errors import HubError

app = typer.Typer(no_args_is_help=True, help="Requests to providers.")
approvals = typer.Typer(no_args_is_help=True, help="What waits for a second person.")
Effect = Annotated[str, typer.Argument(metavar="ID", help="The effect's id.")]


class Ended(StrEnum):
    """How a person saw that a request ended."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"


@app.command("list")
def list_(
    state: Annotated[EffectState | None, typer.Option("--state", help="Only those that stand so.")] = None,
    folio: Annotated[str, typer.Option("--folio", help="Only this folio's, final ones too.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Final ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 200,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Requests to providers, oldest first; without options those that are not final. Exit 2 for a folio that is not known."""
    with opened(existing_store(store, config)) as beside:
        beside.check_folio(folio, beside.tenants(""))
        rows = listing.effects(beside.reading, state=state or "", folio=folio, every=every, limit=limit)
    _print(rows, as_json, "no requests")


@app.command()
def show(effect: Effect, store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """One request with everything that was asked and answered, and what the provider shows. Exit 2 for no such request."""
    with opened(existing_store(store, config)) as beside:
        if beside.history.effect(effect) is None:
            text = f"no effect is called {effect!r}: see `foliohub effects list --all`"
            raise HubError(text, code="unknown_effect", field="id", value=effect)
        found = explain(beside.history, beside.vault, effect).requests[0]
    if as_json:
        print_json(found)
    else:
        print_lines(request_lines(found))


@app.command()
def settle(
    effect: Effect,
    result: Annotated[Ended, typer.Argument(help="What you saw at the provider.")],
    reason: Annotated[str, typer.Option("--reason", help="What you saw, and where; kept with the decision.")],
    record: Annotated[str, typer.Option("--record", help="The provider's own number of it, PAYID/PAYIDSUB.")] = "",
    by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 5.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Say how a request ended that the hub cannot settle by itself. Exit 1 when that is refused."""
    tell(
        "effect.settle", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json,
        subject=effect, result=result.value, reason=reason, provider_record=record,
    )  # fmt: skip


@approvals.command("list")
def waiting(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """What waits for a second person: payouts, goodwill, a voucher's bonus, a voucher's part of a refund."""
    with opened(existing_store(store, config)) as beside:
        rows = listing.approvals(beside.reading, now=SystemClock().now())
    _print(rows, as_json, "nothing waits for approval")


@approvals.command()
def grant(
    effect: Effect, reason: Reason = "", by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 5.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Let it go out, or carry it out. Not by who asked for it."""
    tell(
        "approval.grant", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json,
        subject=effect, reason=reason,
    )  # fmt: skip


@approvals.command()
def deny(
    effect: Effect, reason: Reason = "", by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 5.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Keep it back: it will not be made."""
    tell(
        "approval.deny", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json,
        subject=effect, reason=reason,
    )  # fmt: skip


def _print(rows: list[dict[str, Any]], as_json: bool, empty: str) -> None:
    if as_json:
        instants = ("created_at", "sent_at", "next_at")
        print_json([{**row, **{name: stamp(row[name]) if row[name] else "" for name in instants}} for row in rows])
        return
    shown = (
        (row["id"], row["folio"], row["kind"], money(row["minor"], row["currency"]), f"{row['merchant']} {row['reference']}",
         "approval" if row["needs_approval"] else row["state"], row["reason"])
        for row in rows
    )  # fmt: skip
    table(("id", "folio", "kind", ">amount", "at", "state", "why"), shown, empty=empty)
