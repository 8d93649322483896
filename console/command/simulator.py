"""`foliohub simulator`: providers to play with. The Ogone simulator speaks DirectLink and keeps books of its own (docs/simulator.md)."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from connectors.psp.ogone.simulator.serving import serve
from schemas.errors import HubError

app = typer.Typer(no_args_is_help=True, help="Providers to play with.")


@app.callback()
def simulators() -> None:
    """Providers to play with."""


@app.command()
def ogone(
    script: Annotated[Path | None, typer.Option("--script", help="What it plays; without one, it accepts everything.")] = None,
    host: Annotated[str, typer.Option("--host", help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8481,
    books: Annotated[Path, typer.Option("--books", help="Its books, one SQLite file.")] = Path("var/ogone-books.sqlite"),
    callback_url: Annotated[str, typer.Option("--callback-url", help="Where its callbacks go.")] = "",
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input does.")] = False,
) -> None:
    """Serve until stopped; the address of the test pages is the first line printed. Exit 2 for a script that cannot be played, 3 for a
    port that is taken."""
    try:
        books.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_books(books, error.strerror) from None
    if with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve(
            script=script,
            host=host,
            port=port,
            books=books,
            callback_url=callback_url,
            announce=lambda address: print(address, flush=True),
        )
    except sqlite3.DatabaseError as error:
        raise _no_books(books, error) from None
    except OSError as error:
        text = f"the simulator cannot listen at {host}:{port}: {error.strerror}: choose another --port"
        raise HubError(text, code="address_taken", field="port", value=port) from None


def _no_books(books: Path, why: object) -> HubError:
    return HubError(f"no books can be kept at {books}: {why}: choose another --books", code="bad_books", field="books", value=books)


def _end_with_parent() -> None:
    """Who started us holds the other end of standard input; when it closes, they are gone."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
