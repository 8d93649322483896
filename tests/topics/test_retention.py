"""X-26: whatever is stored or sent has a retention class, and the document tells the same classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.settings import Hub
from schemas.personal import personal_fields
from schemas.registry import IN, INTERNAL, OUT
from tests.engine.campsite import Campsite, eventful
from topics.asyncapi import asyncapi
from topics.catalogue import TOPICS
from topics.retention import CLASSES, PERSONAL, TABLES, retention

ROOT = Path(__file__).parents[2]
SCHEMAS = {engine: (ROOT / f"engine/store/{engine}/schema.sql").read_text(encoding="utf-8") for engine in ("sqlite", "postgresql")}
MADE = {engine: set(re.findall(r"CREATE (?:UNLOGGED )?TABLE (\w+)", text)) for engine, text in SCHEMAS.items()}


@pytest.mark.parametrize("engine", MADE)
def test_x_26_every_table_has_a_retention_class(engine: str) -> None:
    """Of both engines' schemas; no class is left for a table that is gone."""
    assert len(MADE[engine]) > 20
    assert MADE[engine] - set(TABLES) == set()
    assert set(TABLES) - MADE["sqlite"] - MADE["postgresql"] == set()


def test_x_26_what_a_store_really_has(tmp_path: Path) -> None:
    """After a summer in which everything happens once; the slices of identities are one kind."""
    camp = Campsite(tmp_path / "camp.sqlite")
    eventful(camp)
    rows = camp.hub.reading.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'", ())
    camp.close()

    assert {re.sub(r"^inbox_\d+$", "inbox", row["name"]) for row in rows} - set(TABLES) == set()


def test_x_26_every_personal_field_has_a_retention_class() -> None:
    """Wherever in a message it stands."""
    found = {".".join(field.path) for kind in (*IN.values(), *OUT.values(), *INTERNAL.values()) for field in personal_fields(kind)}

    assert found == set(PERSONAL)


def test_x_26_every_topic_has_a_retention_class() -> None:
    """In the catalogue and in what others read of it."""
    channels = asyncapi()["channels"].values()

    assert {one.retention_class for one in TOPICS} <= set(CLASSES)
    assert [channel["x-retention-class"] for channel in channels] == [one.retention_class for one in TOPICS]


def test_x_26_every_class_is_used_and_says_why() -> None:
    """What is settled by a key of `[hub]` names one that is there; every kind is listed once."""
    kinds = retention()

    assert {one.retention_class for one in kinds} == set(CLASSES)
    assert len({(one.kind, one.name) for one in kinds}) == len(kinds) == len(TABLES) + len(TOPICS) + len(PERSONAL)
    assert all(one.why and one.ends for one in CLASSES.values())
    assert [one.name for one in CLASSES.values() if one.setting and one.setting not in Hub.__struct_fields__] == []


def test_x_26_the_document_tells_the_classes() -> None:
    """docs/operating/retention.md, class by class: what goes by itself, and what is only said."""
    page = (ROOT / "docs/operating/retention.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in page.splitlines() if row.startswith("| `")]

    assert [(name.strip("`"), itself) for name, _, itself, *_ in rows] == [
        (one.name, "yes" if one.by_itself else "no") for one in CLASSES.values()
    ]
    for name, days, *_ in rows:
        one = CLASSES[name.strip("`")]
        assert days == (f"`{one.setting}`" if one.setting else f"{one.days} days" if one.days else "–"), name
