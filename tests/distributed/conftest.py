"""What tests of a platform share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.distributed.topics import made_anew
from tests.kills.forker import Forker
from tests.services.kafka import Kafka


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    """Starts a module's processes."""
    with Forker() as one:
        yield one


@pytest.fixture
def intake(kafka: Kafka) -> None:
    """The catalogue's topics, empty."""
    made_anew(kafka.bootstrap)
