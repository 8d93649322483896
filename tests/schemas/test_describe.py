"""The JSON Schemas against the metaschema, and messages against them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.describe import json_schemas
from schemas.envelope import type_of
from schemas.registry import IN, OUT

SCHEMAS = json_schemas()
EXAMPLE = json.loads((Path(__file__).parent.parent / "golden/messages/booking.confirmed.json").read_text())


def errors(type_: str, data: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMAS[type_])
    return ["/".join(map(str, error.absolute_path)) or error.message for error in validator.iter_errors(data)]


def test_every_message_has_one() -> None:
    """And nothing else has."""
    assert {"envelope", *map(type_of, IN), *map(type_of, OUT)} == set(SCHEMAS)


@pytest.mark.parametrize("type_", SCHEMAS)
def test_each_is_a_schema(type_: str) -> None:
    """As the draft's own schema sees it, and complete in itself."""
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[type_])
    assert SCHEMAS[type_]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for ref in references(SCHEMAS[type_]):
        assert ref.removeprefix("#/$defs/") in SCHEMAS[type_]["$defs"]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [*([node["$ref"]] if "$ref" in node else []), *(ref for value in node.values() for ref in references(value))]
    return [ref for item in node for ref in references(item)] if isinstance(node, list) else []


def test_the_published_example_fits() -> None:
    """The whole event: its data and its envelope."""
    assert errors(EXAMPLE["type"], EXAMPLE["data"]) == []
    assert errors("envelope", EXAMPLE) == []


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("currency", "euro", "currency"),
        ("service_fee", 5.5, "service_fee"),
        ("service_fee", -1, "service_fee"),
        ("lines", [], "lines"),
        ("channel", "fax", "channel"),
        ("actor", {"kind": "robot"}, "actor/kind"),
    ],
)
def test_what_does_not_fit(key: str, value: object, where: str) -> None:
    """The schema says no where the decoder does."""
    assert [where] == errors(EXAMPLE["type"], {**EXAMPLE["data"], key: value})


def test_unknown_fields_are_ignored() -> None:
    """Wire messages may bring more than we read."""
    assert errors(EXAMPLE["type"], {**EXAMPLE["data"], "vendor": {"x": 1}}) == []


def test_x_11_personal_fields_are_marked() -> None:
    """Readers of the schema see what is sealed."""
    guest = SCHEMAS[type_of("booking.confirmed")]["$defs"]["Guest"]["properties"]
    assert {"name", "email", "phone", "address"} == {name for name, schema in guest.items() if schema.get("x-personal")}
