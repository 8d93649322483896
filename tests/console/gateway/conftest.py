"""One hub behind HTTP for a whole module: tests use folios and ids of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console.gateway.world import World, world


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A live hub, its keys and its address."""
    with world(tmp_path_factory.mktemp("gateway")) as made:
        yield made
