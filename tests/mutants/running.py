"""The measured run, from where it was kept or anew in a process of its own."""

from __future__ import annotations

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
    for done in forks.run([forks.Job(None, partial(_measured, root, key, targets, kept), _LIMIT_S)], 1):
        if done.end is not forks.End.SILENT:
            raise Red(f"the tests as they are: {done.word or done.end.value}")
    reach = msgspec.json.decode(kept.read_bytes(), type=Reach)
    print(f"{len(reach.tests)} tests, measured in {time.monotonic() - began:.0f} s", flush=True)
    for name in reach.failing:
        print(f"left out, since it fails as the code stands: {name}", flush=True)
    return reach


def _measured(root: Path, key: str, targets: Sequence[str], kept: Path) -> str:
    try:
        reach = measure(root, key, [*trial.OPTIONS, *targets], [trial.Steady()])
    except Red as red:
        return str(red)
    kept.write_bytes(msgspec.json.encode(reach))
    return ""
