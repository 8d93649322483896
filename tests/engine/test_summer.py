"""Everything that people and doors are shown of a summer is what was kept of it, and no neighbour with the same names changes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.explain import explain
from engine.store.history import History
from schemas.errors import HubError
from tests.engine.campsite import Campsite
from tests.engine.summer import KEPT, Neighbours, alone, lines, settings, shown, summer


@pytest.fixture(scope="module")
def camp() -> Iterator[Campsite]:
    made = summer(Campsite(settings=settings()))
    yield made
    made.close()


@pytest.fixture(scope="module")
def faces(camp: Campsite) -> dict[str, list[Any]]:
    return {**shown(camp), **alone(camp)}


@pytest.mark.parametrize("face", ["folios", "explained", "decisions", "outcomes", "lists", "report", "store"])
def test_what_is_shown_is_what_was_kept(face: str, faces: dict[str, list[Any]]) -> None:
    """To the last field; a difference that was meant is kept by `python -m tests.engine.summer`."""
    assert list(lines(faces[face])) == (KEPT / f"{face}.jsonl").read_text(encoding="utf-8").splitlines()


def test_a_neighbour_with_the_same_names_changes_nothing(faces: dict[str, list[Any]]) -> None:
    """X-12: the same folios, messages, references, requests and payments at another tenant of the same store."""
    both = Neighbours()
    summer(both)
    seen = shown(both)
    with pytest.raises(HubError) as several:
        explain(History(both.hub.reading), both.hub.vault, "A")
    both.close()

    assert (several.value.code, several.value.field) == ("ambiguous", "tenant")
    for face, things in seen.items():
        assert list(lines(things, numbers=False)) == list(lines(faces[face], numbers=False)), face
