"""The command `foliohub`: the face for operators and developers. Every command stands in a module of its own; docs/command.md."""

from __future__ import annotations

import logging

import typer

from console.command import (
    balances,
    brokers,
    dead_letters,
    effects,
    folios,
    keys,
    ledger,
    notices,
    payouts,
    policies,
    simulator,
    store,
    vouchers,
    words,
)
from console.command.backing_up import backup, restore
from console.command.dry_run import dry_run
from console.command.explaining import explain
from console.command.failing import HubGroup
from console.command.journal import journal
from console.command.moving import migrate
from console.command.people import forget
from console.command.rules import EXAMPLES, rules
from console.command.run import run
from console.command.send import send
from console.command.verify import verify
from console.logs import configure

app = typer.Typer(
    cls=HubGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Foliohub keeps the money of stays true between booking systems, channels and payment providers."
    "\n\nExit status: 0 done; 1 something was found or refused; 2 the command or its input is wrong; 3 the store or the gateway"
    " cannot be had now.",
)


@app.callback()
def foliohub() -> None:
    """Logs go to standard error, so that standard output is what was asked for."""
    configure(logging.ERROR)


for command in (run, send, explain, journal, verify, dry_run, forget, migrate, backup, restore):
    app.command()(command)
app.command(epilog=EXAMPLES)(rules)
app.command("schemas")(words.schemas)
words.app.command()(brokers.provision)
words.app.command()(brokers.check)
for name, group in (
    ("ledger", ledger.app),
    ("effects", effects.app),
    ("approvals", effects.approvals),
    ("dead-letters", dead_letters.app),
    ("payouts", payouts.app),
    ("notices", notices.app),
    ("keys", keys.app),
    ("policies", policies.app),
    ("store", store.app),
    ("topics", words.app),
    ("simulator", simulator.app),
    ("vouchers", vouchers.app),
    ("balances", balances.app),
    ("folios", folios.app),
):
    app.add_typer(group, name=name)


def main() -> None:
    """What the installed command runs."""
    app()
