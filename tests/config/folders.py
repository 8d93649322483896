"""Configuration folders for the tests: a small one that is right, and what is changed in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HUB = """\
[[tenants]]
tenant = "azur"
version = "azur/1"

[[sources]]
source = "pms.thais"
tenant = "azur"

[[channels]]
channel = "demo"
tenant = "azur"
default_property = "camp"
default_terms = "outdoor/flexible"

[[merchants]]
merchant = "azur"
tenant = "azur"
base_url = "http://127.0.0.1:8481/ncol/test/"
pspid = "p"
userid = "u"
password = { env = "AZUR_PASSWORD" }
sha_in = { file = "sha_in" }
sha_out = [
  { env = "AZUR_OUT_NEW" },
  { env = "AZUR_OUT" },
]
"""
CAMP = """\
property = "camp"
version = "camp/1"
tenant = "azur"
zone = "Europe/Paris"
"""
FLEXIBLE = """\
version = "outdoor/flexible/1"
tranches = [
  { from_notice = 4, refund = "100 %" },
  { from_notice = 1, refund = "50 %" },
  { refund = "0 %" },
]
"""
CAMP_FILE = "properties/camp.toml"
FLEXIBLE_FILE = "policies/cancellation/outdoor/flexible.toml"
FILES = {"hub.toml": HUB, CAMP_FILE: CAMP, FLEXIBLE_FILE: FLEXIBLE}


def folder(at: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """The small folder, with these files in place of its own or beside them."""
    for name, text in {**FILES, **(files or {})}.items():
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return at
