"""Servers for the tests; each is started once, when the first test asks for it. A server that is missing is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from engine.store.postgresql.database import Database
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running
from tests.services.rabbitmq import RabbitMQ
from tests.services.stores import emptied

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What a property says is tested, not how fast a machine is that does something else as well."""
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A private RabbitMQ for the whole run: use queue names of your own; who kills it starts it again."""
    with running(RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """A private PostgreSQL for the whole run: use databases of your own; who kills it starts it again."""
    with running(PostgreSQL(tmp_path_factory.mktemp("postgresql"))) as server:
        yield server


@pytest.fixture
def postgres_url(postgresql: PostgreSQL) -> Iterator[str]:
    """The address of an empty database that is this test's alone."""
    url = postgresql.database()
    yield url
    postgresql.drop(url)


@pytest.fixture(scope="session")
def one_store(postgresql: PostgreSQL) -> str:
    """The address of a store that tests have one after the other."""
    url = postgresql.database()
    Database(url).close()
    return url


@pytest.fixture
def postgres_store(one_store: str) -> str:
    """The address of an empty store, as it was made; nobody else has it at the same time."""
    emptied(one_store)
    return one_store


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A private Kafka for the whole run: use topics and groups of your own; who kills it starts it again."""
    with running(Kafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server
