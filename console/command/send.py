"""`foliohub send`: messages from a file to a running hub's gateway, and what it decided."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from console.command.beside import Said
from console.command.failing import Exit
from console.command.gateway_client import GatewayClient
from console.command.options import Json, Key
from console.command.showing import print_lines
from console.command.telling import line_of
from schemas.errors import HubError

_LONGEST = 16 * 1024 * 1024


def send(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="CloudEvents JSON: one object a line, or one object; - is standard input.")
    ],
    url: Annotated[str, typer.Option("--url", envvar="FOLIOHUB_URL", help="The gateway.")] = "http://127.0.0.1:8480",
    key: Key = "",
    wait: Annotated[float, typer.Option("--wait", min=0, max=60, help="Seconds to wait for each outcome.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Send messages one after the other and print what was decided (--json: one object a line).

    Exit 0; 1 if anything was refused or could not be used; 2 for input that cannot be read; 3 if no gateway answers.
    """
    worst = Exit.DONE
    events = list(_events(file))  # all of it can be read before any of it is sent
    with GatewayClient(url, key) as client:
        for place, event in events:
            try:
                said = client.send(event, wait)
            except HubError as error:
                if error.code in ("gateway_away", "unauthenticated", "forbidden", "not_found"):
                    raise
                said = Said(message="", taken="refused", hub=True, reason=f"{error.code}: {error.message}")
            worst = max(worst, said.status, Exit.FOUND if said.reason else Exit.DONE)
            _print(place, event, said, as_json)
    if worst:
        raise typer.Exit(Exit.FOUND)


def _print(place: str, event: dict[str, Any], said: Said, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode({"id": event.get("id", ""), **msgspec.to_builtins(said)}).decode())
        return
    told = said.reason or ("" if said.outcomes is not None else "not decided yet")
    print_lines(
        [f"{place} {event.get('id', '')}: {said.taken} {told}".rstrip(), *(f"    {line_of(one)}" for one in said.outcomes or ())]
    )


def _events(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a file, with its place. Raises HubError `unreadable` with line and reason."""
    try:
        body = sys.stdin.buffer.read(_LONGEST + 1) if name == "-" else Path(name).read_bytes()[: _LONGEST + 1]
    except OSError as error:
        raise HubError(f"{name}: {error.strerror}", code="unreadable", field="file", value=name) from None
    if len(body) > _LONGEST:
        raise HubError(f"{name} is longer than {_LONGEST} bytes: send it in pieces", code="unreadable", field="file", value=name)
    try:
        yield f"{name}:1", msgspec.json.decode(body, type=dict[str, Any])
        return
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # several objects, one a line
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            event = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            raise HubError(f"{name}:{number}: not a JSON object: {wrong}", code="unreadable", field="line", value=number) from None
        yield f"{name}:{number}", event
