"""A wheel has no tests: what they show of each rule is written down while it is built, for `foliohub rules` (console/rules)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShownByTests(BuildHookInterface[Any]):
    """Puts console/rules/shown.json into a wheel. An editable installation reads the tests themselves."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Read the tests that lie beside this file."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from console.rules.sources import shown

        index = Path(self.directory) / "shown.json"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_text(json.dumps(shown(Path(self.root)), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        build_data["force_include"][str(index)] = "console/rules/shown.json"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """It is in the wheel and nowhere else."""
        (Path(self.directory) / "shown.json").unlink(missing_ok=True)
