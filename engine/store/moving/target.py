"""The database that a store moves into: whether it may, what its marks say, and when it becomes a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import psycopg

from engine.store.moving.proof import Ask, Proof
from engine.store.postgresql.home import settle
from engine.store.postgresql.link import Link, without_password
from engine.store.postgresql.upgrading import alone, make_store
from schemas.errors import HubError

_OPTIONS: Final = (
    "-c search_path=foliohub -c timezone=UTC -c idle_in_transaction_session_timeout=0 -c lock_timeout=20s -c synchronous_commit=on"
    " -c application_name=foliohub-move"
)
_AT_ONCE: Final = 5_000


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """The mark of a move: where it comes from, when, which one it is, and what was proved."""

    source: str
    at: str
    token: str
    proof: Proof


@contextmanager
def target(address: str) -> Iterator[Target]:
    """Connected to a database. Raises HubError for what it cannot be, or refuses."""
    name = without_password(address)
    try:
        with psycopg.connect(address, connect_timeout=5, options=_OPTIONS) as connection:
            yield Target(connection, name)
    except psycopg.Error as error:
        text = str(error).strip().partition("\n")[0]
        away = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        raise HubError(f"{name}: {text}", code="store_away" if away else "not_carried", field="to", value=name) from error


class Target:
    """One transaction after the other, each ended by `commit`."""

    def __init__(self, connection: psycopg.Connection[Any], name: str) -> None:
        self.raw, self.link, self.name = connection, Link(connection), name

    def prepare(self, lanes: int) -> None:
        """An empty store, in the transaction that fills it. Nobody makes or opens one here meanwhile. Raises HubError."""
        alone(self.link)
        if self._has("meta"):
            if self._meta("arriving") is None:
                self._refuse_used()
            self.link.execute("DROP SCHEMA foliohub CASCADE")
        make_store(self.link, lanes)

    def _refuse_used(self) -> None:
        used = self.link.execute(
            "SELECT EXISTS (SELECT 1 FROM configuration) OR EXISTS (SELECT 1 FROM intake) OR EXISTS (SELECT 1 FROM decision)"
            " OR EXISTS (SELECT 1 FROM lane WHERE epoch > 0)"
        ).fetchone()[0]
        if used:
            raise HubError(
                f"{self.name} holds a store that was used: a store moves into an empty database", code="not_empty", field="to",
                value=self.name,
            )  # fmt: skip

    def arriving(self, mark: Arrival) -> None:
        """Not usable until `lift`: the mark comes with the rows."""
        self.link.execute("INSERT INTO meta VALUES ('arriving', ?)", (msgspec.json.encode(mark).decode(),))
        settle(self.link)

    def arrived(self, token: str) -> Arrival:
        """Lift the mark of this move, if it is still there. Raises HubError if another one, or none, came here."""
        mark = self._meta("arriving") if self._has("meta") else None
        if mark is not None and mark.token == token:
            self.link.execute("UPDATE meta SET name = 'moved_from' WHERE name = 'arriving'")
            self.commit()
            self.link.execute("ANALYZE")
            self.commit()
            return mark
        mark = self._meta("moved_from") if self._has("meta") else None
        if mark is not None and mark.token == token:
            return mark
        raise HubError(
            f"{self.name} is not where this store went", code="store_moved", field="to", value=self.name
        )  # fmt: skip

    def commit(self) -> None:
        self.raw.commit()

    @property
    def ask(self) -> Ask:
        """Rows one at a time, by a cursor of the server."""

        def rows(question: str) -> Iterator[tuple[Any, ...]]:
            with self.raw.cursor(name="asked", binary=True) as cursor:
                cursor.itersize = _AT_ONCE
                cursor.execute(question.encode())
                yield from cursor

        return rows

    def _has(self, table: str) -> bool:
        return self.link.execute("SELECT to_regclass(?)", (f"foliohub.{table}",)).fetchone()[0] is not None

    def _meta(self, name: str) -> Arrival | None:
        row = self.link.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return msgspec.json.decode(row[0], type=Arrival) if row is not None else None
