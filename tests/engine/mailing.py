"""A process that carries the notices of a store as far as they go at an instant, to be killed on the way: `python -m tests.engine.mailing
STORE PORT INSTANT`."""

from __future__ import annotations

import sys

from engine.post import post_of
from tests.engine.sandbox import Sandbox
from tests.engine.test_notices import configured


def main(store: str, port: str, begins: str) -> None:
    """Opens the store, works off what is due, and ends."""
    configuration = configured(int(port), deadline_s=600.0)
    box = Sandbox(store=store, configuration=configuration, post=post_of(configuration, {}), begins=begins)
    box.drain()
    box.hub.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
