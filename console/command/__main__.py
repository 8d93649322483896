"""`python -m console.command`: the command `foliohub` where it is not on the path."""

from __future__ import annotations

from console.command.main import main

main()
