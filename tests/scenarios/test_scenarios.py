"""Every scenario as a test of its own, named by the rules that it shows: tests/scenarios/<family>/<rules>_<what>.jsonl."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.scenarios.play import all_scenarios, check, scenario_of


def _test(path: Path) -> Callable[[], None]:
    def test() -> None:
        check(path)

    test.__doc__ = scenario_of(path).about
    return test


for _path in all_scenarios():
    _name = f"test_{_path.stem}"
    assert _name not in globals(), f"{_path}: two scenarios have this name"
    globals()[_name] = _test(_path)
