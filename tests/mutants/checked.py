"""What mypy refuses was seen: `make test` begins with it. Asked only about changes that no test saw, in the copy of the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.mutants.changes import Change, edited

_LIMIT_S = 600
_COMMAND = (sys.executable, "-m", "mypy", "--no-error-summary")


class Checker:
    """The type checker on one copy."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def works(self) -> bool:
        """Whether it has nothing against the code as it stands; it fills its cache."""
        return not self._refuses()

    def refuses(self, change: Change) -> bool:
        """Whether the change cannot get past `make check`; asked only where it `works`."""
        file = self._root / change.path
        source = file.read_text()
        text = edited(change, source)
        if text is None:
            return False
        file.write_text(text)
        try:
            return self._refuses()
        finally:
            file.write_text(source)

    def _refuses(self) -> bool:
        ran = subprocess.run(_COMMAND, cwd=self._root, capture_output=True, timeout=_LIMIT_S, check=False)
        return ran.returncode != 0
