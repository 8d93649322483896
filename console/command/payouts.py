"""`foliohub payouts`: the switch that stops all payouts of a tenant, read before each send.

It is written to the store itself, so that it works while the hub hangs; a message leaves the record of who and why (X-15, X-27).
"""

from __future__ import annotations

import typer

from console.command.beside import Beside, opened, word
from console.command.options import By, Config, Json, Key, Reason, Store, Tenant, Url, Wait, existing_store, login
from console.command.showing import print_json, stamp, table
from console.command.telling import finish, tell
from engine.store.contract import StoreAway, StoreBusy
from engine.store.listing import payouts_waiting
from engine.store.rows import SwitchRow
from engine.store.switches import Switches
from schemas.errors import HubError

app = typer.Typer(no_args_is_help=True, help="The switch that stops all payouts.")


@app.command()
def stop(
    reason: Reason = "", by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 2.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """No refund leaves from now on; what is under way at a provider is asked about as always."""
    _switch("payouts.stop", reason, by, tenant, url, key, wait, store, config, as_json)


@app.command()
def start(
    reason: Reason = "", by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 2.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Refunds leave again."""
    _switch("payouts.start", reason, by, tenant, url, key, wait, store, config, as_json)


@app.command()
def status(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """Whether payouts go out, by tenant, and what waits."""
    with opened(existing_store(store, config)) as beside:
        switches = Switches(beside.database).all()
        rows = [
            {
                "tenant": tenant,
                "stopped": bool(one and one.stopped),
                "by": one.by if one else "",
                "reason": one.reason if one else "",
                "at": stamp(one.at) if one else "",
                "waiting": payouts_waiting(beside.reading, tenant),
            }
            for tenant in sorted(beside.settled().tenants)
            for one in (switches.get(tenant),)
        ]
    if as_json:
        print_json(rows)
    else:
        shown = (
            (row["tenant"], "STOPPED" if row["stopped"] else "going out", row["waiting"], row["by"], row["reason"], row["at"])
            for row in rows
        )
        table(("tenant", "payouts", ">waiting", "by", "reason", "since"), shown)


def _switch(
    name: str, reason: str, by: str, tenant: str, url: str, key: str, wait: float,
    store: Store, config: Config, as_json: bool,
) -> None:  # fmt: skip
    if url:
        tell(name, store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json, reason=reason)
        return
    who = by or login()
    stopped = name == "payouts.stop"
    with opened(existing_store(store, config)) as beside:
        owner = beside.tenant(tenant)
        if beside.database.log_elsewhere and not stopped:
            raise HubError(
                "the log of this store is Kafka: say it to a gateway, with --url, so that who starts payouts is on record; nothing was"
                " changed", code="log_elsewhere", field="url",
            )  # fmt: skip
        message = word(name, owner, who, reason=reason)
        try:
            Switches(beside.database).set(SwitchRow(owner, int(stopped), f"operator:{who}", reason, beside.now()))
        except StoreBusy as away:
            raise StoreBusy(_held(away, beside), field="store", value=beside.path) from None
        except StoreAway as away:
            raise StoreAway(f"the switch is not set, say this again: {away.message}", field="store", value=beside.path) from None
        is_set = "payouts are stopped from now on" if stopped else "payouts go out again"
        if beside.database.log_elsewhere:
            print(f"{is_set}. The log of this store is Kafka: say it to a gateway as well, with --url, and it is on record")
            return
        try:
            said = beside.say(message, wait)
        except StoreAway as away:
            text = f"{is_set}, but who said so and why is not on record, say this again: {away.message}"
            raise StoreAway(text, field="store", value=beside.path) from None
    finish(said, as_json, later=f"no hub runs on this store: {is_set}, the record of it is made at the next start")


def _held(away: StoreBusy, beside: Beside) -> str:
    """Nothing can be marked for sending while somebody holds the file; ending that process loses nothing."""
    process = beside.hub
    if not process:
        return f"the switch is not set, say this again: {away.message}"
    return (
        f"process {process} holds {beside.path} and lets nobody write; while it does, no payout is sent either. End it (nothing that"
        " was acknowledged is lost) and say this again before the hub is started"
    )
