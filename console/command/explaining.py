"""`foliohub explain`: every cent of a folio, a message, a request or a voucher, for people; `--json` gives `engine.explanation` as is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from console.command.beside import opened
from console.command.options import Config, Json, Store, Tenant, existing_store
from console.command.showing import money, print_json, print_lines
from engine.explain import explain as told_of
from engine.explanation import Decision, Explained, Request
from schemas.envelope import name_of

_LONG = 160


def explain(
    subject: Annotated[
        str, typer.Argument(metavar="FOLIO|MESSAGE|EFFECT|VOUCHER", help="An id; a folio's other name reads namespace=value.")
    ],
    personal: Annotated[bool, typer.Option("--personal", help="Open what is sealed about people.")] = False,
    tenant: Tenant = "",
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Every cent: messages, terms with their content, rules and arithmetic, entries, requests and answers, outcomes.

    Exit 2 for what is no folio, message, effect or voucher of this store, or a tenant that is not known.
    """
    with opened(existing_store(store, config)) as beside:
        beside.tenants(tenant)
        found = told_of(beside.history, beside.vault, subject, tenant=tenant, personal=personal)
    if as_json:
        print_json(found)
    else:
        print_lines(lines(found))


def lines(found: Explained) -> Iterator[str]:
    """The whole of it."""
    yield f"{found.kind} {found.subject}, tenant {found.tenant}"
    if found.folio is not None:
        yield from _folio(found.folio, found.sums)
    if found.policies:
        yield ""
        yield "Frozen policies"
        for version, content in found.policies.items():
            yield f"  {version}: {_compact(content, ('version', 'name'))}"
    for decision in found.decisions:
        yield ""
        yield from _decision(decision)
    for request in found.requests:
        yield ""
        yield from request_lines(request)
    if found.waiting:
        yield ""
        yield "Waiting"
        yield from (
            f"  {one['how']}: {one['name']} {one['id']} since {one['received_at']}, for {one['reason']}" for one in found.waiting
        )
    if found.balances:
        yield ""
        yield "Accounts (debit − credit)"
        width = max(len(row.account) for row in found.balances)
        for row in found.balances:
            debit, credit, balance = (money(minor, row.currency) for minor in (row.debit, row.credit, row.balance))
            yield f"  {row.account:{width}}  {debit} − {credit} = {balance}"


def _folio(folio: dict[str, Any], sums: dict[str, int]) -> Iterator[str]:
    currency = folio["currency"]
    yield f"{folio['status']}, property {folio['property']}, booked {folio['booked_at']}"
    ordered, collected, balance = (money(sums[name], currency) for name in ("ordered", "collected", "balance"))
    yield f"ordered {ordered} − collected {collected} = balance {balance}"
    for line in folio["lines"]:
        kept = f", cancelled: {money(line.get('kept', 0), currency)} kept" if line.get("cancelled") else ""
        dates = f" {line['arrival']} to {line['departure']}" if line.get("arrival") and line.get("departure") else ""
        yield f"  line {line['line']}: {line['kind']}{dates}, {money(line['price'], currency)}, {line['policy']}{kept}"
    for paid in folio.get("payments", ()):
        given = "".join(
            f", {money(paid[name], currency)} {name}" for name in ("refunding", "refunded", "foreign", "reversed") if paid.get(name)
        )
        unapplied = ", unapplied" if paid.get("unapplied") else ""
        where = f" at {paid['provider']}/{paid['merchant']} {paid.get('reference', '')}" if paid.get("provider") else ""
        captured = f"{money(paid.get('captured', 0), currency)} {paid['status']}"
        yield f"  payment {paid['payment']}: {paid['tender']}{where}, {captured}{given}{unapplied}"
    for refund in folio.get("refunds", ()):
        parts = ", ".join(f"{money(part['minor'], currency)} {part['status']} ({part['payment']})" for part in refund["parts"])
        yield f"  refund {refund['refund']}: {money(refund['minor'], currency)}, due by {refund['due_by']}: {parts}"
    for request in folio.get("balance_requests", ()):
        link = f", link {request['link']}" if request.get("link") else ""
        until = f", suspended until {request['suspended_until']}" if request.get("suspended_until") else ""
        asked = f"{money(request['amount'], currency)} by the end of {request['deadline']}"
        yield f"  balance request {request['request']}: {request['status']}, {asked}{until}{link}"


def _decision(one: Decision) -> Iterator[str]:
    inside = f" (inside {one.parent})" if one.parent else ""
    yield f"{one.seq}{inside}  {one.name}: {one.result}  [{one.key}]"
    sender = f"from {one.source}" + (f" by {one.door}" if one.door else "") + (f", id {one.id}" if one.id else "")
    act = f", judged at {one.act}" if one.act != one.received_at else ""
    yield f"    {sender}; received {one.received_at}{act}; message {one.message}"
    if one.input is not None:
        yield f"    in: {_compact(one.input, ('actor',))}"
    for rule, text in one.trace:
        yield f"    {rule:6} {text}"
    for name, value in one.record.items():
        yield f"    {name}: {_value(value)}"
    for entry in one.entries:
        yield f"    entry  {entry.entry} ({entry.subject}): {money(entry.minor, entry.currency)}, {entry.debit} → {entry.credit}"
    for effect in one.effects:
        yield f"    asks   effect {effect}"
    for outcome in one.outcomes:
        hidden = ("folio", "sequence", "rules", "policy_version")
        yield f"    out {outcome.data.get('sequence', ''):>2} {name_of(outcome.type)}: {_compact(outcome.data, hidden)}"


def request_lines(one: Request) -> Iterator[str]:
    """A request with its calls and the provider's records."""
    where = f"{one.provider}/{one.merchant}, payment {one.reference}"
    yield f"effect {one.effect}: {one.kind} of {money(one.minor, one.currency)} at {where}: {one.state}"
    why = f"; {one.reason}" if one.reason else ""
    approval = "; waits for approval" if one.needs_approval else ""
    yield f"    {one.business_key}, decided as {one.decision} at {one.created_at}, sent {one.sent_at or 'never'}{approval}{why}"
    for call in one.calls:
        mine = "" if call.effect == one.effect else " (about the payment)"
        yield f"    {call.at}  {call.act}: {call.result} {call.code}{mine}".rstrip()
        if call.request:
            yield f"        asked    {_short(call.request)}"
        if call.answer:
            yield f"        answered {_short(call.answer)}"
    for record in one.records:
        amount = "no amount" if record["minor"] is None else money(record["minor"], record["currency"] or one.currency)
        said = f"{record['kind']} {amount}, {record['result']} ({record['status']})"
        yield f"    provider shows {record['reference']}/{record['level']}: {said}: {record['owner']}"


def _compact(content: dict[str, Any], hidden: tuple[str, ...] = ()) -> str:
    told = ((name, value) for name, value in content.items() if name not in hidden and value not in ("", None, [], {}))
    return ", ".join(f"{name}={_value(value)}" for name, value in told)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + _compact(value) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONG else f"{flat[:_LONG]}… ({len(flat)} characters, whole with --json)"
