"""X-12: every command that takes a tenant is tried under another tenant's name, with what is the first one's; a new command without a row
fails.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from console.command.main import app
from tests.console.command.conftest import foliohub
from tests.console.tenants import BEGINS, OTHER, Owned, hidden, summer, things, untouched
from tests.engine.campsite import Campsite

MAIL: Final = """Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Action: failed
Status: 5.1.1

--b
Content-Type: message/rfc822

X-Foliohub-Notice: {notice}


--b--
"""


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Campsite, Owned]]:
    """For commands, which have the system's clock: all that was due by now is done."""
    with summer(tmp_path_factory.mktemp("commands")) as made:
        known = things(made)
        made.until(max(datetime.now(UTC), BEGINS).isoformat())
        yield made, known


COMMANDS: Final[Mapping[str, Callable[[Owned], tuple[str, ...]]]] = {
    "explain": lambda one: (one.asked,),
    "forget": lambda one: (one.person, "--reason", "a look"),
    "ledger balance": lambda one: ("--folio", one.asked),
    "effects settle": lambda one: (one.effect, "confirmed", "--reason", "a look"),
    "approvals grant": lambda one: (one.effect, "--reason", "a look"),
    "approvals deny": lambda one: (one.effect, "--reason", "a look"),
    "dead-letters list": lambda _: ("--all",),
    "dead-letters replay": lambda one: (one.letter, "--reason", "a look"),
    "dead-letters discard": lambda one: (one.letter, "--reason", "a look"),
    "payouts stop": lambda _: ("--reason", "a look"),
    "payouts start": lambda _: ("--reason", "a look"),
    "notices bounced": lambda one: (MAIL.format(notice=one.notice),),
    "keys add": lambda _: ("--scope", "read"),
    "vouchers list": lambda _: (),
    "balances list": lambda _: (),
    "balances payment": lambda one: (one.request,),
    "folios show": lambda one: (one.asked,),
    "journal": lambda _: ("--day", "2026-05-01"),
    "notices resend": lambda one: (one.notice,),
}
"""What takes a tenant, with the first one's things and the other's name."""
OF_THE_MACHINE: Final = frozenset({
    "run", "send", "verify", "dry-run", "migrate", "backup", "restore", "rules", "schemas", "ledger check", "effects list", "effects show",
    "approvals list", "dead-letters show", "payouts status", "notices list", "notices preview", "keys revoke", "keys list",
    "policies check", "store status", "store retention",
    "store upgrade", "topics list", "topics asyncapi", "topics provision", "topics check",
    "simulator ogone",
})  # fmt: skip
"""What knows no tenant: whoever may open the store's file has all of it before him; `send` goes through a door with its key."""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its name."""

    def walk(one: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if hasattr(one, "commands"):
            for name, inner in one.commands.items():
                yield from walk(inner, (*path, name))
        else:
            yield " ".join(path), one

    return walk(typer.main.get_command(app), ())


def test_x_12_every_command_has_a_row() -> None:
    """One that takes a tenant is tried; any other is said to be the machine's."""
    taking = {name for name, one in commands() if any(parameter.name == "tenant" for parameter in one.params)}

    assert taking == COMMANDS.keys()
    assert {name for name, _ in commands()} - taking == OF_THE_MACHINE


@pytest.mark.parametrize("name", COMMANDS)
def test_x_12_no_command_reaches_into_another_tenant(beside: tuple[Campsite, Owned], name: str, tmp_path: Path) -> None:
    """Under the other's name."""
    camp, owned = beside
    arguments = said(name, owned, tmp_path)
    with untouched(camp), deciding(camp):
        ran = foliohub(*name.split(), *arguments, "--tenant", OTHER, "--store", camp.hub.database.path)

    assert "Usage:" not in ran.output, "said wrong"
    hidden(ran.output, (arguments, owned.notice), owned)


@pytest.mark.parametrize("name", ["explain", "ledger balance", "dead-letters list", "vouchers list"])
def test_the_same_commands_show_the_first_tenant_its_own(beside: tuple[Campsite, Owned], name: str, tmp_path: Path) -> None:
    """Else nothing would be shown by their silence."""
    camp, owned = beside
    ran = foliohub(*name.split(), *said(name, owned, tmp_path), "--tenant", "azur", "--store", camp.hub.database.path)

    assert any(secret in ran.output for secret in owned.secrets()), ran.output


def said(name: str, owned: Owned, folder: Path) -> tuple[str, ...]:
    """A command's arguments; a mail is a file."""
    arguments = COMMANDS[name](owned)
    if name != "notices bounced":
        return arguments
    (folder / "mail.eml").write_text(arguments[0])
    return (str(folder / "mail.eml"),)


@contextmanager
def deciding(camp: Campsite) -> Iterator[None]:
    """The hub decides by itself meanwhile, as a serving one does."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            camp.hub.drain()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
