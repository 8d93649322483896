"""Servers for the tests; each is started once, when the first test asks for it. A server that is missing is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, settings

from engine.store.postgresql.database import Database
from tests.engine import sandbox
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running
from tests.services.rabbitmq import RabbitMQ
from tests.services.stores import Stores, emptied

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What a property says is tested, not how fast a machine is that does something else as well."""
settings.load_profile("any machine")

SQLITE, POSTGRESQL = "sqlite", "postgresql"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store", choices=(SQLITE, POSTGRESQL), default=SQLITE,
        help="what a test's hub has as its store when the test names none: a file in memory (default), or an empty PostgreSQL database;"
        " tests marked `both_stores` run on both without it, tests marked `sqlite` are about files and left out with `postgresql`",
    )  # fmt: skip
    parser.addoption(
        "--scenarios",
        choices=("some", "all"),
        default="some",
        help="of tests marked `sampled`: every sixth (default), or all of them",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite: about a store that is a file; left out with --store postgresql")
    config.addinivalue_line("markers", "both_stores: what a hub does on either store; runs on both")
    config.addinivalue_line("markers", "sampled: of its parameters every sixth; all with --scenarios all")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--store") == POSTGRESQL:
        left_out = [item for item in items if item.get_closest_marker("sqlite")]
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]
        config.hook.pytest_deselected(items=left_out)
    if config.getoption("--scenarios") == "some":
        sampled = [item for item in items if item.get_closest_marker("sampled")]
        others = {item for number, item in enumerate(sampled) if number % 6}
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=list(others))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "both_stores" in marks and "sqlite" not in marks and metafunc.config.getoption("--store") == SQLITE:
        metafunc.parametrize("default_store", (SQLITE, POSTGRESQL), indirect=True)


@pytest.fixture(autouse=True)
def default_store(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which store a sandbox makes when a test names none."""
    kind: str = getattr(request, "param", request.config.getoption("--store"))
    if kind == SQLITE:
        yield kind
        return
    stores: Stores = request.getfixturevalue("postgres_stores")
    sandbox.fresh_store = stores.lend
    yield kind
    sandbox.fresh_store = sandbox.in_memory
    stores.back()


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
def postgres_stores(postgresql: PostgreSQL) -> Stores:
    """Stores that tests have one after the other."""
    return Stores(postgresql)


@pytest.fixture(scope="session")
def made_store(postgresql: PostgreSQL) -> tuple[str, int]:
    """The address of a store that tests have one after the other, and the lanes that it was made with."""
    url = postgresql.database()
    with closing(Database(url)) as database:
        return url, database.lanes


@pytest.fixture
def postgres_store(made_store: tuple[str, int]) -> str:
    """The address of an empty store, as it was made, whatever a test has moved into it; nobody else has it at the same time."""
    emptied(*made_store)
    return made_store[0]


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A private Kafka for the whole run: use topics and groups of your own; who kills it starts it again."""
    with running(Kafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server
