"""Servers for the tests; each is started once, when the first test asks for it. A server that is missing is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.services.rabbitmq import RabbitMQ, running

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What a property says is tested, not how fast a machine is that does something else as well."""
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A private RabbitMQ for the whole run: use queue names of your own; who kills it starts it again."""
    with running(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server
