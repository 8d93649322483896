"""`foliohub dry-run`: a file of messages played on a throw-away store, with the clock at each message's time."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import structlog
import typer

from config.loader import load
from connectors.psp.ogone.simulator import script
from console.command.failing import Exit
from engine.dry_run import DryRun, Line, Unreadable, instant_of, read


def dry_run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="CloudEvents JSON, one object a line; - is standard input.")
    ],
    config: Annotated[Path | None, typer.Option("--config", help="Configuration folder; else the shipped one.")] = None,
    until: Annotated[str, typer.Option("--until", help="Let time go on to this instant after the last message.")] = "",
    provider_script: Annotated[
        Path | None, typer.Option("--provider-script", help="What the Ogone simulator plays; else providers accept everything.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print the decision records too.")] = False,
    ledger: Annotated[bool, typer.Option("--ledger", help="Print the balances at the end.")] = False,
) -> None:
    """Play messages through the same decisions on a throw-away store, and print what would have been published.

    Exit 0; 1 if anything ended dead-lettered, blocked or parked; 2 for input that cannot be read.
    """
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr), wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
    )
    end = instant_of(until) if until else None
    run = DryRun(load(config, {}), script.load(provider_script) if provider_script else None, explain=explain)
    try:
        for line in _lines(files):
            _print(run.play(line))
        if end is not None:
            _print(run.pass_until(end))
        if ledger:
            _print(run.ledger())
        sys.stdout.flush()
        wrong = run.unsettled()
    finally:
        run.close()
    for text in wrong:
        print(f"foliohub: {text}", file=sys.stderr)
    if wrong:
        raise typer.Exit(Exit.FOUND)


def _lines(files: Iterable[str]) -> Iterator[Line]:
    """All files in order. Raises Unreadable for one that cannot be opened."""
    for name in files:
        if name == "-":
            yield from read("-", sys.stdin.buffer)
            continue
        try:
            with Path(name).open("rb") as stream:
                yield from read(name, stream)
        except OSError as error:
            raise Unreadable(f"{name}: {error.strerror}", field="file", value=name) from None


def _print(lines: Iterable[bytes]) -> None:
    """UTF-8, whatever the locale."""
    for line in lines:
        sys.stdout.buffer.write(line + b"\n")
