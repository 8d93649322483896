"""The golden samples, for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors.psp.ogone.account import OgoneAccount

FOLDER = Path(__file__).parents[3] / "golden" / "ogone"
VECTORS: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text("utf-8"))


def account(**changes: Any) -> OgoneAccount:
    """The account that the golden folders were made with."""
    fields: dict[str, Any] = {
        "merchant": "azur",
        "pspid": "azurTEST",
        "userid": "azurAPI",
        "pswd": "golden-pswd",
        "sha_in": "golden-in",
        "sha_out": ("golden-out",),
    }
    return OgoneAccount(**{**fields, **changes})


def cases(start: str) -> list[Path]:
    """The golden folders whose names begin so."""
    return sorted(folder for folder in FOLDER.iterdir() if folder.is_dir() and folder.name.startswith(start))


def value(folder: Path) -> dict[str, Any]:
    """What a golden folder's bytes mean."""
    result: dict[str, Any] = json.loads((folder / "value.json").read_text("utf-8"))
    return result
