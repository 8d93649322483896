"""How every command ends: exit codes, and one line on standard error for what went wrong. No traceback for what is foreseen.

0 done; 1 something was found or refused; 2 the command or its input is wrong; 3 the store or the gateway cannot be had now;
4 (`run` only) the hub cannot go on and is to be started again.
"""

from __future__ import annotations

import os
import select
import sys
from enum import IntEnum
from typing import Any, Final

import typer
from typer.core import TyperGroup

from engine.store.contract import Fenced, StoreTaken
from schemas.errors import HubError, Retryable


class Exit(IntEnum):
    """What a command's exit status says."""

    DONE = 0
    FOUND = 1
    WRONG = 2
    AWAY = 3
    FAILED = 4


_AWAY: Final = frozenset(
    {"store_broken", "schema_newer", "no_store", "gateway_away", "address_taken", "store_away", "store_arriving"}
)
_FOUND: Final = frozenset({"move_unequal"})


def exit_of(error: HubError) -> Exit:
    """The status that a failure ends with."""
    if isinstance(error, Retryable | StoreTaken | Fenced) or error.code in _AWAY:
        return Exit.AWAY
    if error.code in _FOUND:
        return Exit.FOUND
    return Exit.WRONG


def line_of(error: HubError) -> str:
    """Code, field, value and what to do. A configuration with several mistakes has a line for each."""
    place = f" ({error.field}={error.value})" if error.field and error.value and error.value not in error.message else ""
    return f"foliohub: {error.code}: {error.message}{place}"


class HubGroup(TyperGroup):
    """Tells failures apart for every command below it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it raises on purpose becomes one line and a status."""
        try:
            _check_text([*ctx.args, *(value for name, value in os.environ.items() if name.startswith("FOLIOHUB_"))])
            return super().invoke(ctx)
        except HubError as error:
            print(line_of(error), file=sys.stderr)
            raise typer.Exit(exit_of(error)) from None
        except BrokenPipeError as broken:
            if _read():  # it is another connection: whoever looks after this process starts it again
                print(f"foliohub: connection_lost: {broken}: try again", file=sys.stderr)
                raise typer.Exit(Exit.AWAY) from None
            raise typer.Exit(Exit.DONE) from None  # whoever read us has enough


def _check_text(said: list[str]) -> None:
    """Bytes that are no text name nothing here and can be stored nowhere. Raises HubError `not_text`, before anything is done."""
    for one in said:
        try:
            one.encode()
        except UnicodeEncodeError:
            shown = ascii(one)[1:-1]
            raise HubError(
                f"an argument or a variable is no text in UTF-8: {shown}", code="not_text", field="argument", value=shown
            ) from None


def _read() -> bool:
    """Whether somebody still reads what we print."""
    try:
        printed = select.poll()
        printed.register(sys.stdout.fileno(), select.POLLOUT)
    except OSError:  # no file, or closed
        return True
    return not any(event & select.POLLERR for _, event in printed.poll(0))
