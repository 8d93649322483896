"""The measured run, from where it was kept or anew in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from tests.mutants import forks, trial
from tests.mutants.reach import Reach, Red, fingerprint, measure

_LIMIT_S = 1_800.0


def reach_of(root: Path, kept: Path, targets: Sequence[str]) -> Reach:
    """What each test reaches. Raises Red if one fails."""
    key = fingerprint(root, targets)
    if kept.exists():
        try:
            known = msgspec.json.decode(kept.read_bytes(), type=Reach)
        except msgspec.MsgspecError:
            known = None
        if known is not None and known.key == key:
            print(f"{len(known.tests)} tests, measured before", flush=True)
            return known
    print("measuring which test reaches which line", flush=True)
    began = time.monotonic()
    kept.parent.mkdir(exist_ok=True)
    shown = os.dup(1)  # a job's own output goes nowhere
    for done in forks.run([forks.Job(None, partial(_measured, root, key, targets, kept, shown), _LIMIT_S)], 1):
        if done.end is not forks.End.SILENT:
            raise Red(f"the tests as they are: {done.word or done.end.value}")
    os.close(shown)
    reach = msgspec.json.decode(kept.read_bytes(), type=Reach)
    print(f"{len(reach.tests)} tests, measured in {time.monotonic() - began:.0f} s", flush=True)
    for name in reach.failing:
        print(f"left out, since it fails as the code stands: {name}", flush=True)
    return reach


def _measured(root: Path, key: str, targets: Sequence[str], kept: Path, shown: int) -> str:
    with os.fdopen(shown, "w", buffering=1) as terminal:
        try:
            reach = measure(root, key, [*trial.OPTIONS, *targets], [trial.Steady()], terminal)
        except Red as red:
            return str(red)
    kept.write_bytes(msgspec.json.encode(reach))
    return ""
