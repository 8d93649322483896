"""The AsyncAPI document against the official schema of AsyncAPI 3.0.0 (tests/golden/asyncapi)."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.envelope import type_of
from schemas.registry import IN, OUT
from topics.asyncapi import asyncapi
from topics.catalogue import TOPICS

OFFICIAL = json.loads((Path(__file__).parent.parent / "golden/asyncapi/3.0.0-without-id.json").read_text())
DOCUMENT = asyncapi()


def validator() -> Any:
    return jsonschema.validators.validator_for(OFFICIAL)(OFFICIAL)


def test_the_document_is_asyncapi_3() -> None:
    """As the AsyncAPI Initiative's own schema sees it."""
    assert [f"{list(error.absolute_path)}: {error.message}" for error in validator().iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("spoil", ["asyncapi", "info", "channels.intake.address", "operations.refund.action"])
def test_the_official_schema_sees_mistakes(spoil: str) -> None:
    """The check above can fail."""
    document = deepcopy(DOCUMENT)
    *parents, last = spoil.split(".")
    inner: Any = document
    for key in parents:
        inner = inner[key]
    inner[last] = 5

    assert not validator().is_valid(document)


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]
    return [ref for item in node for ref in references(item)] if isinstance(node, list) else []


def test_every_reference_leads_somewhere() -> None:
    """No `$ref` into nothing."""
    found = references(DOCUMENT)
    assert len(found) > 100
    for ref in found:
        node: Any = DOCUMENT
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]


def test_every_message_and_topic_is_in_it() -> None:
    """Nothing on a topic is undescribed."""
    messages = DOCUMENT["components"]["messages"]
    assert {type_of(name) for name in (*IN, *OUT)} | {"dead_letter"} == {message["name"] for message in messages.values()}
    assert {one.name for one in TOPICS} == {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert DOCUMENT["operations"]["intake"]["action"] == "receive"
    assert DOCUMENT["operations"]["refund"]["action"] == "send"


def test_the_same_every_time() -> None:
    """Generated documents can be compared as text."""
    assert json.dumps(DOCUMENT) == json.dumps(asyncapi())
