"""Operators' words: said through the store or through a gateway, and what came of them told on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import typer

from console.command.beside import Beside, Said, opened, word
from console.command.gateway_client import GatewayClient
from console.command.options import configured, existing_store, login
from console.command.showing import print_json, print_lines
from schemas.envelope import name_of
from schemas.errors import HubError


def tell(
    name: str,
    *,
    store: str | None,
    config: Path | None,
    url: str,
    key: str,
    tenant: str,
    by: str,
    wait: float,
    as_json: bool,
    **data: Any,
) -> None:
    """Say it, wait for the outcome, print it; exit 1 when it was refused."""
    who = by or login()
    if url:
        with GatewayClient(url, key) as client:
            answer = client.send(word(name, tenant or _only_tenant(config), who, **data), wait)
        finish(answer, as_json)
        return
    with opened(existing_store(store, config)) as beside:
        said = beside.say(
            word(name, owner(beside, tenant, str(data.get("subject") or data.get("notice") or ""), name), who, **data), wait
        )
    finish(said, as_json)


def _only_tenant(config: Path | None) -> str:
    """For a gateway, which says itself whether the key is that tenant's. Raises HubError `unknown_tenant`."""
    tenants = sorted(configured(config).tenants)
    if len(tenants) != 1:
        raise HubError(f"say with --tenant which of {', '.join(tenants)} it is for", code="unknown_tenant", field="tenant")
    return tenants[0]


def owner(beside: Beside, tenant: str, subject: str, name: str) -> str:
    """Whose word it is: of the effect's or dead letter's tenant, else the one named or the only one."""
    if not tenant and subject and name != "person.forget":
        found = beside.shelf.owner_of(subject)
        if found is not None and found.tenant:
            return found.tenant
    return beside.tenant(tenant)


LATER: Final = "no hub runs on this store: it is carried out at the next start"


def finish(said: Said, as_json: bool, later: str = LATER) -> None:
    """Print what came of it, and end with its status. `later`: what is true while no hub runs."""
    if as_json:
        print_json(said)
    else:
        print_lines(_lines(said, later))
    if said.status:
        raise typer.Exit(said.status)


def _lines(said: Said, later: str) -> list[str]:
    if said.reason:
        return [f"{said.taken}: {said.reason}"]
    if said.outcomes is None:
        when = "the running hub has not decided it yet" if said.hub else later
        return [f"{said.taken} as {said.message}; {when}"]
    if not said.outcomes:
        return [f"{said.taken} as {said.message}: done"]
    return [line_of(outcome) for outcome in said.outcomes]


def line_of(outcome: dict[str, Any]) -> str:
    """An outcome in one line."""
    data = dict(outcome["data"])
    told = {name: value for name, value in data.items() if value not in ("", None, [], {}) and name not in ("rules", "sequence")}
    rules = f"  [{' '.join(data.get('rules', ()))}]" if data.get("rules") else ""
    return f"{name_of(outcome['type'])}: " + ", ".join(f"{name}={_short(value)}" for name, value in told.items()) + rules


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
