"""docs/http.md: every curl in it is run, and answers what is printed below it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.loader import load
from schemas.cards import scrub
from tests.console.gateway.world import World, configuration, world
from tests.scenarios.play import FOLDERS

DOCS = Path(__file__).parents[3] / "docs" / "http.md"
EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n\n```(json|xml)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Its property asks for balances."""
    settled = configuration()
    camp = settled.properties["camp-azur"]
    asking = load(FOLDERS / "asking", {}).properties["camp-azur"].balance
    asks = msgspec.structs.replace(camp, version="camp-azur/9", balance=asking)
    settled = msgspec.structs.replace(settled, properties={**settled.properties, "camp-azur": asks})
    with world(tmp_path_factory.mktemp("docs"), settled=settled) as made:
        yield made


def within(wanted: Any, got: Any, where: str = "answer") -> None:
    """Everything printed is in the answer; the answer may say more. Lists: from the first on."""
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            assert name in got, f"{where} has no {name}: {got}"
            within(value, got[name], f"{where}.{name}")
    elif isinstance(wanted, list):
        assert len(got) >= len(wanted), f"{where}: {got}"
        for place, value in enumerate(wanted):
            within(value, got[place], f"{where}[{place}]")
    else:
        assert got == wanted, where


def test_every_curl_answers_as_printed(hub: World) -> None:
    """In the order of the document, against one hub."""
    text = DOCS.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(text)
    environment = {
        "PATH": os.environ["PATH"],
        "HUB": hub.gateway.address,
        "KEY": hub.keys["azur"],
        "READ_KEY": hub.keys["reader"],
        "OPERATOR_KEY": hub.keys["operator"],
        "CHANNEL_KEY": hub.keys["channel"],
        "NO_PROXY": "*",
    }

    assert len(examples) == text.count("```sh\ncurl") == 16
    for command, kind, printed in examples:
        ran = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=30, check=False)
        assert ran.returncode == 0, f"{command}\n{ran.stderr}"
        if kind == "xml":
            assert printed.strip() in ran.stdout, ran.stdout
        else:
            within(json.loads(printed), json.loads(ran.stdout))


def test_x_10_the_fields_that_are_not_searched_for_cards_are_told() -> None:
    """Each that the document names keeps what looks like a card number; any other field does not."""
    (told,) = re.findall(r"Not searched, and stored as they come,(.*?)`value`", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names = re.findall(r"`([a-z_]+)`", told)
    card = "4111111111111111"

    assert {"id", "folio", "payment", "order"} <= {*names}
    assert scrub(dict.fromkeys(names, card))[0] == dict.fromkeys(names, card)
    assert scrub({"subject": card})[1] == ("subject",)
