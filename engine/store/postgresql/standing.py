"""A look at a database that may be no store yet, or none any more, and the way to this release's schema; it makes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from typing import Any, Final

import psycopg

from engine.store.contract import StoreTaken
from engine.store.postgresql.link import Link, without_password
from engine.store.postgresql.upgrading import SCHEMA_VERSION, upgrade, versions
from schemas.errors import HubError

_OPTIONS: Final = "-c search_path=foliohub -c timezone=UTC -c application_name=foliohub-store"


@contextmanager
def looking(address: str) -> Iterator[Link]:
    """One transaction on the store that is there. Raises HubError `no_store`, `store_away`, StoreTaken."""
    name = without_password(address)
    try:
        with psycopg.connect(address, connect_timeout=5, options=_OPTIONS) as connection:
            link = Link(connection)
            if link.execute("SELECT to_regclass('foliohub.meta')").fetchone()[0] is None:
                raise HubError(f"{name} holds no store", code="no_store", field="store", value=name)
            yield link
    except psycopg.errors.LockNotAvailable:
        raise StoreTaken(
            f"{name}: a table is in use by a long transaction, and hubs were not to wait: nothing was changed, say it again",
            field="store", value=name,
        ) from None  # fmt: skip
    except psycopg.OperationalError as away:
        text = str(away).strip().partition("\n")[0]
        raise HubError(f"{name}: {text}", code="store_away", field="store", value=name) from None
    except psycopg.Error as wrong:
        raise HubError(f"{name}: {wrong}", code="store_broken", field="store", value=name) from wrong


def upgraded(
    address: str, tell: Callable[[str], None], *, version: int = SCHEMA_VERSION, scripts: Traversable | None = None
) -> tuple[int, int]:
    """The schema's version before and now; one transaction a version. Raises HubError."""
    with looking(address) as link:
        before, since = versions(link)
    if since > version:
        raise HubError(
            f"schema version {before} is newer than this foliohub knows ({version}): upgrade foliohub", code="schema_newer", field="store"
        )  # fmt: skip
    more = before < version
    while more:
        with looking(address) as link:
            more = upgrade(link, without_password(address), version, tell, scripts)
    return before, max(before, version)


def sizes(link: Link) -> int:
    """Bytes of the store with its indexes."""
    row: Any = link.execute(
        "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relnamespace = 'foliohub'::regnamespace AND relkind = 'r'"
    ).fetchone()
    return int(row[0])
