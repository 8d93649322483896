"""What changes seldom and is looked up: policies, configurations, keys, and to whom a subject belongs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from engine.settled import FrozenPolicy
from engine.store.contract import Store
from engine.store.rows import Key
from engine.store.statements import NAMED, batches, marks
from schemas.folio import ReferenceState

_BOUND: Final = msgspec.json.Decoder(ReferenceState)


class Shelf:
    """Policies, people's keys and directory of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def policies(self) -> Iterable[FrozenPolicy]:
        with self._store.read() as connection:
            return [
                FrozenPolicy(*row)
                for row in connection.execute("SELECT version, kind, hash, body FROM policy ORDER BY kind, version")
            ]

    def keep_policies(self, rows: Iterable[FrozenPolicy]) -> None:
        values = [(row.version, row.kind, row.hash, row.body) for row in rows]
        if values:
            with self._store.write() as connection:
                connection.executemany("INSERT INTO policy VALUES (?,?,?,?) ON CONFLICT (kind, version) DO NOTHING", values)

    def keep_configuration(self, hash_: str, body: bytes, at: int) -> int:
        with self._store.write() as connection:
            statement = "INSERT INTO configuration (hash, at, body) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING"
            connection.execute(statement, (hash_, at, body))
            row = connection.execute("SELECT id FROM configuration WHERE hash = ?", (hash_,)).fetchone()
            return int(row[0])

    def configurations(self) -> Mapping[int, bytes]:
        with self._store.read() as connection:
            return dict(connection.execute("SELECT id, body FROM configuration").fetchall())

    def master_mark(self) -> bytes | None:
        with self._store.read() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = 'master'").fetchone()
            return bytes.fromhex(row[0]) if row else None

    def keep_master_mark(self, mark: bytes) -> bytes:
        with self._store.write() as connection:
            connection.execute("INSERT INTO meta VALUES ('master', ?) ON CONFLICT (name) DO NOTHING", (mark.hex(),))
            return bytes.fromhex(connection.execute("SELECT value FROM meta WHERE name = 'master'").fetchone()[0])

    def wrapped_keys(self, tenant: str, subjects: Sequence[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        with self._store.read() as connection:
            for first in range(0, len(subjects), NAMED):
                some = subjects[first : first + NAMED]
                found.update(
                    connection.execute(
                        f"SELECT subject, wrapped FROM subject_key WHERE tenant = ? AND subject IN ({marks(len(some))})",
                        (tenant, *some),
                    ).fetchall()
                )
        return found

    def destroy_keys(self, prefix: str, before: str) -> Sequence[tuple[str, str]]:
        """Destroy keys of subjects that start with `prefix` and sort before `before`; (tenant, subject) of each."""
        with self._store.write() as connection:
            rows = connection.execute(
                "WITH RECURSIVE owner (tenant) AS (SELECT min(tenant) FROM subject_key UNION ALL SELECT (SELECT min(tenant)"
                " FROM subject_key WHERE subject_key.tenant > owner.tenant) FROM owner WHERE owner.tenant IS NOT NULL)"
                " DELETE FROM subject_key WHERE tenant IN (SELECT tenant FROM owner) AND subject >= ? AND subject < ?"
                " RETURNING tenant, subject",
                (prefix, before),
            ).fetchall()
            return [(row[0], row[1]) for row in rows]

    def owner_of(self, subject: str) -> Key | None:
        with self._store.read() as connection:
            row = connection.execute("SELECT tenant, 'folio', folio FROM effect WHERE id = ?", (subject,)).fetchone()
            if row is None:
                row = connection.execute("SELECT tenant, 'folio', folio FROM notice WHERE id = ?", (subject,)).fetchone()
            if row is None:
                row = connection.execute("SELECT tenant, kind, key FROM dead_letter WHERE id = ?", (subject,)).fetchone()
            return Key(*row) if row else None

    def bound(self, names: Sequence[Key]) -> Mapping[Key, Key]:
        """The folios that these names are bound to; one without is absent."""
        found: dict[Key, Key] = {}
        with self._store.read() as connection:
            for some in batches(list(names)):
                ids = [name.digest() for name in some]
                rows = connection.execute(f"SELECT id, body FROM state WHERE body IS NOT NULL AND id IN ({marks(len(ids))})", ids)
                bodies = dict(rows.fetchall())
                for name, id_ in zip(some, ids, strict=True):
                    if id_ in bodies and (folio := _BOUND.decode(bodies[id_]).folio):
                        found[name] = Key(name.tenant, "folio", folio)
        return found

    def known(self, messages: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {message: identity.fingerprint for message, identity in self._store.identities(messages).items()}
