"""`python -m connectors.psp.ogone.simulator`: the simulator without the rest of the hub."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from connectors.psp.ogone.simulator.serving import serve
from schemas.errors import HubError


def main() -> int:
    """0 when stopped, 2 for arguments or a script that cannot be used."""
    parser = argparse.ArgumentParser(prog="ogone-simulator", description="An Ogone DirectLink provider that plays a script.")
    parser.add_argument("--script", type=Path, help="what to play; without it, everything is accepted")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--books", type=Path, required=True, help="its SQLite file")
    parser.add_argument("--callback-url", default="", help="where callbacks go")
    given = parser.parse_args()
    try:
        return serve(
            script=given.script,
            port=given.port,
            books=given.books,
            callback_url=given.callback_url,
            announce=lambda address: print(address, flush=True),
        )
    except (HubError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
