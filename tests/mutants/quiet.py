"""Seconds as a quiet machine would have taken: what a process waited for a processor, because others had it, is no time of its own."""

from __future__ import annotations

from pathlib import Path


def waited_s(process: int | str = "self") -> float:
    """How long its first thread was ready and could not run, so far; 0 where the system does not say so."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
