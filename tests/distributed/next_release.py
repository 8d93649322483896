"""The release after this one, made up: the tree once more, with a schema that has grown, a field that bookings and folios gained, and rules
that have a number of their own, though they decide the same.

What it changes is listed here, and is what docs/decisions/0017 allows a release that runs beside the one before it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from engine.settled import RULES
from engine.staging import SHAPES
from engine.store.postgresql.upgrading import SCHEMA_VERSION

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("schemas", "topics", "ledger", "handlers", "connectors", "config", "engine", "console", "tests/kills")
NEXT: Final = SCHEMA_VERSION + 1
SHAPE: Final = SHAPES["folio"][0]
ADDED: Final = (
    "ALTER TABLE decision ADD COLUMN release text NOT NULL DEFAULT '';\n"
    "ALTER TABLE decision ALTER COLUMN release SET DEFAULT current_setting('application_name');\n"
)
"""Each row tells which release wrote it, whether that one knows of the column or not."""
CHANGES: Final = (
    ("engine/store/postgresql/upgrading.py", f"SCHEMA_VERSION: Final = {SCHEMA_VERSION}", f"SCHEMA_VERSION: Final = {NEXT}"),
    ("engine/settled.py", f"RULES: Final = {RULES}", f"RULES: Final = {RULES + 1}"),
    ("engine/staging.py", f'"folio": ({SHAPE}, Folio)', f'"folio": ({SHAPE + 1}, Folio)'),
    ("schemas/booking.py", '    language: Word = ""\n    guest:', '    language: Word = ""\n    wishes: Word = ""\n    guest:'),
    ("schemas/folio.py", '    language: str = ""\n    person:', '    language: str = ""\n    wishes: str = ""\n    person:'),
    ("handlers/booking.py", "language=message.language,", "language=message.language, wishes=message.wishes,"),
)


def next_release(folder: Path) -> Path:
    """Where its tree lies."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests/__init__.py", folder / "tests/__init__.py")
    for name, before, after in CHANGES:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{name} has changed: {before}"
        (folder / name).write_text(text.replace(before, after), encoding="utf-8")
    upgrades = folder / "engine/store/postgresql/upgrades"
    upgrades.mkdir(exist_ok=True)
    (upgrades / f"{NEXT}.sql").write_text(f"-- beside {SCHEMA_VERSION}\n-- step who decided\n{ADDED}", encoding="utf-8")
    return folder
