"""What tests of the AMQP transport share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.services.recorder import Recorder


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Exchange and queue names of the test's own."""
    return re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "arrivals.sqlite")
