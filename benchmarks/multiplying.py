"""A store that is as large as one wishes: the rows of a few thousand stays that a hub has decided, again and again under other names.

Every copy is a set of stays of its own, earlier than the one before: other folios, messages, requests, payments, people and numbers, in
all tables and in the bodies alike, so that a hub goes on with any of them, and the book adds up; `verify` finds them true as long as they
are not made older than the originals. What is lost on the way: what was sealed for a person opens only in the originals, and contents are
not recognised again by their fingerprints.
"""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import embedded
from benchmarks.live import today
from benchmarks.measured import size_of
from benchmarks.messages import TENANT, message
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from engine.clock import ManualClock, SystemClock
from engine.effect_messages import NEWS as _TOLD
from engine.hub import Hub
from engine.keys import DoorKeys
from engine.store.contract import SLICE_US
from engine.store.rows import Key
from engine.transport.contract import Arrival
from engine.vault import Plain, Vault
from schemas.envelope import derived, message_bytes, uuid_text

MARK: Final = "q0000000q"
"""Stands in every name of an original; each copy has a word of its own in its place."""
_DERIVED: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
NEWS: Final = _TOLD.bytes
DAYS: Final = 60.0  # how old the oldest stay is: older than the hub's `inbox_days`, so that there is something to forget
STRANGE: Final = 20  # dead letters, and payments that wait for a booking
_QUOTED, _CANCELLED = 2, 4  # one stay in so many asks what cancelling would give; one in so many cancels
_BEFORE_US: Final = 2 * 3600 * 1_000_000  # how long ago the originals were
_DAY_US: Final = 24 * 3600 * 1_000_000
_TELL_S: Final = 10.0

_NUMBERS: Final[Mapping[str, str]] = {
    "intake.seq": "intake", "intake.offset": "offset", "decision.seq": "decision", "decision.parent": "decision?",
    "decision.since": "decision", "state.since": "decision?",
    "internal.seq": "internal", "internal.cause": "decision?", "internal.decision": "decision?", "effect.decision": "decision?",
    "evidence.seq": "evidence", "transfer_row.seq": "row", "outbox_row.seq": "row",
    "transfer.seq": "transfer", "transfer.decision": "decision", "outbox.seq": "outbox", "outbox.decision": "decision",
}  # fmt: skip
"""How a number is moved on: by how many of these there are in the originals; `?`: only if it is one (0: none)."""
_SPECIAL: Final[Mapping[str, str]] = {
    "decision.place": "CASE origin WHEN 'intake' THEN place + :offset WHEN 'internal' THEN place + :internal ELSE place END",
    "state.id": "digest_of(tenant, kind, replace(key, :mark, :word))",
    "outbox.id": "message_of(id)",
}
_INSTANTS: Final = frozenset(
    {"received_at", "act", "decided_at", "at", "created_at", "next_at", "sent_at", "lease_until", "seen_at", "key_until"}
)
_DERIVED_IN: Final = frozenset({"id", "effect", "refund", "owner", "subject", "request", "reply", "answer"})
"""Texts in which derived ids may stand."""
GROWING: Final = (
    "intake", "state", "decision", "transfer_row", "transfer", "outbox_row", "outbox", "payment_total", "refund_part", "timer",
    "internal", "effect", "evidence", "provider_record",
)  # fmt: skip
"""Those that grow with the stays; of an earlier schema, what it has of them."""


class Store(NamedTuple):
    """A large store in a folder of its own, with a key to its doors and the names of two stays in it, both paid and not cancelled: one
    that a hub decided, and one of a copy."""

    folder: Path
    path: Path
    key: str
    original: str
    copied: str


def made(folder: Path, gigabytes: float, stays: int, say: Callable[[str], None], seed: int = 0) -> Store:
    """A store of that size: stays of the last two months, and a few things that need a person."""
    path, luck = folder / "hub.sqlite", random.Random(seed)
    names = [f"{luck.getrandbits(32):08x}{MARK}" for _ in range(stays)]
    settings, clock = load(None, {}), ManualClock(SystemClock().now() - _BEFORE_US)
    with closing(embedded.Timed(settings, str(path), AcceptingProviders(), clock=clock)) as hub:
        embedded.feed(hub, list(_messages(names)), clock)
        clock.advance(clock.now() + _BEFORE_US // 2)
        hub.drain()  # quotes have lapsed
    copies = max(1, round(gigabytes * 1e9 / size_of(path)) - 1)
    many = Multiplied(path, copies, DAYS)
    many.make(say)
    with closing(Hub(settings, str(path), {}, clock=SystemClock())) as hub:
        hub.intake.append(list(_strange()))
        while hub.run_lanes().decided:
            pass
        _, key = DoorKeys(hub.database).add(TENANT, "operator", "bench")
    return Store(folder, path, key, names[1], names[1].replace(MARK, many.name_of(copies // 2 or 1)))


def _messages(names: Sequence[str]) -> Iterator[bytes]:
    day = today()
    for step, one_in in enumerate((1, 1, _QUOTED, _CANCELLED)):
        yield from (message(step, name, day) for name in names[::one_in])


def _strange() -> Iterator[Arrival]:
    """What nobody can read, and payments for bookings that nobody knows."""
    for number in range(STRANGE):
        body = message(1, f"nobody{number}", today())
        yield Arrival(door="bench", body=body, content_type="application/cloudevents+json")
        yield Arrival(door="bench", body=body[:-40], attributes={"tenant": TENANT}, content_type="application/cloudevents+json")


class Multiplied:
    """A store of originals, named with `MARK`, at `path`: nobody else has it open. `days`: how long ago the first copy was; `first`: the
    copies are a part of more, from this one on, and without the originals, whose part is another."""

    def __init__(self, path: Path, copies: int, days: float, *, first: int | None = None) -> None:
        self._path, self._copies, self._first, self._alone = path, copies, first or 1, first is not None
        self._step = int(days * _DAY_US / max(1, copies))
        self._found: dict[bytes, tuple[bytes, ...]] = {}
        self._identities: dict[bytes, tuple[str, str, str]] = {}
        self._origins: dict[bytes, tuple[bytes, str]] = {}
        self._word = b""

    def make(self, say: Callable[[str], None]) -> None:
        """Write all copies. A store that is interrupted here is of no use."""
        vault = self._vault()
        with closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            for pragma in (
                "journal_mode=OFF",
                "synchronous=OFF",
                "locking_mode=EXCLUSIVE",
                "cache_size=-1000000",
                "temp_store=MEMORY",
            ):
                db.execute(f"PRAGMA {pragma}")
            db.create_function("renamed", 1, self._renamed)
            db.create_function("message_of", 1, self._message)
            db.create_function("digest_of", 3, lambda *key: Key(*key).digest())
            sizes, statements = self._prepared(db)
            slices = {row[0] for row in db.execute("SELECT slice FROM inbox_slice")}
            people = [row[0] for row in db.execute("SELECT subject FROM subject_key")]
            tenant = db.execute("SELECT min(tenant) FROM subject_key").fetchone()[0]
            told, last = time.monotonic(), self._first + self._copies - 1
            if self._alone:
                self._without_originals(db, slices)
            for copy in range(self._first, last + 1):
                word = self.name_of(copy)
                self._word = word.encode()
                moved: dict[str, Any] = {name: size * copy for name, size in sizes.items()}
                moved |= {"back": self._step * copy, "word": word, "mark": MARK}
                db.execute("BEGIN")
                for statement in statements:
                    db.execute(statement, moved)
                self._inbox(db, slices, moved)
                keys = self._keys(vault, tenant, [person.replace(MARK, word) for person in people])
                db.executemany("INSERT INTO subject_key VALUES (?, ?, ?)", keys)
                db.execute("COMMIT")
                if time.monotonic() - told >= _TELL_S:
                    told = time.monotonic()
                    say(f"{copy:,} of {last:,} copies, {self._path.stat().st_size / 1e9:.1f} GB")
            db.execute("UPDATE lane SET next_offset = next_offset + ?", (sizes["offset"] * last,))
            if "outbox" in {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}:
                db.execute("UPDATE sqlite_sequence SET seq = seq * ? WHERE name <> 'configuration'", (self._copies + 1,))

    @staticmethod
    def name_of(copy: int) -> str:
        """The word of a copy: as long as the mark, and no copy's name beside the next one's."""
        return f"q{copy * 2_654_435_761 % 2**28:07x}q"

    def _vault(self) -> Vault:
        """Under the store's own key, and without a look at the store."""
        return Vault(bytes.fromhex(Path(f"{self._path}.key").read_text(encoding="ascii").strip()), _NoKeys())

    def _prepared(self, db: sqlite3.Connection) -> tuple[dict[str, int], list[str]]:
        """The originals beside their tables; how many of each there are, and a statement for each table."""
        known = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        tables = [table for table in GROWING if table in known]
        for table in tables:
            strange = db.execute(f"SELECT count(*) FROM {table} WHERE NOT ({self._marked(db, table)})").fetchone()[0]
            assert not strange, f"{table}: {strange} rows are of no stay"
            db.execute(f"CREATE TEMP TABLE original_{table} AS SELECT * FROM main.{table}")
        sizes = {
            table: db.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0]
            for table in tables
            if table in ("intake", "decision", "internal", "evidence", "transfer", "outbox")
        }
        sizes["offset"] = db.execute("SELECT max(next_offset) FROM lane").fetchone()[0]
        sizes["row"] = sizes["decision"] << 20
        for id_, *identity in db.execute("SELECT message, tenant, source, id FROM intake"):
            self._identities[id_] = tuple(identity)
        self._origins = dict(_origins(db))
        return sizes, [self._statement(db, table) for table in tables]

    @staticmethod
    def _marked(db: sqlite3.Connection, table: str) -> str:
        """Whether a row is of a stay: some text of it, or its body, has the mark."""
        texts = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[2] in ("TEXT", "BLOB")]
        return f"instr({' || '.join(f'coalesce(CAST({text} AS TEXT), {chr(39) * 2})' for text in texts)}, '{MARK}')"

    @staticmethod
    def _statement(db: sqlite3.Connection, table: str) -> str:
        """One copy of all originals of a table."""
        chosen = [_chosen(table, row[1], row[2]) for row in db.execute(f"PRAGMA table_info({table})")]
        return f"INSERT INTO main.{table} SELECT {', '.join(chosen)} FROM original_{table}"

    @staticmethod
    def _without_originals(db: sqlite3.Connection, slices: set[int]) -> None:
        """Their rows stay beside the tables only."""
        db.execute("DROP TRIGGER transfer_stays")
        known = {row[0] for row in db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")}
        for table in ({"subject_key", *GROWING} & known) | {f"inbox_{slice_:d}" for slice_ in slices}:
            db.execute(f"DELETE FROM main.{table}")

    def _inbox(self, db: sqlite3.Connection, slices: set[int], moved: dict[str, Any]) -> None:
        """What this copy's messages are known again by, in their slices of time."""
        wanted = f"(received_at - :back) / {SLICE_US}"
        for (slice_,) in db.execute(f"SELECT DISTINCT {wanted} FROM original_intake", moved).fetchall():
            if slice_ not in slices:
                db.execute("INSERT INTO inbox_slice VALUES (?)", (slice_,))
                (made,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (f"inbox_{max(slices)}",)).fetchone()
                db.execute(made.replace(f"inbox_{max(slices)}", f"inbox_{slice_}"))
                slices.add(slice_)
            db.execute(
                f"INSERT INTO inbox_{slice_:d} SELECT message_of(message) AS id, fingerprint, lane, offset + :offset"
                f" FROM original_intake WHERE {wanted} = {slice_:d} ORDER BY id",
                moved,
            )

    @staticmethod
    def _keys(vault: Vault, tenant: str, people: list[str]) -> list[tuple[str, str, bytes]]:
        vault.seal_all([Plain(tenant, person, "") for person in people])
        made = sorted(vault.fresh)
        vault.fresh.clear()
        return [tuple(key) for key in made]

    # -- functions of the statements -------------------------------------------------------------------------------------------

    def _renamed(self, value: bytes | str | None) -> bytes | str | None:
        """The same text in this copy: its names, and the ids that were derived from them."""
        if value is None:
            return None
        text = value.encode() if isinstance(value, str) else value
        ids = self._found.get(text)
        if ids is None:
            ids = self._found[text] = tuple(set(_DERIVED.findall(text)))
        text = text.replace(MARK.encode(), self._word)
        for id_ in ids:
            text = text.replace(id_, uuid_text(self._message(bytes.fromhex(id_.replace(b"-", b"").decode()))).encode())
        return text.decode() if isinstance(value, str) else text

    def _message(self, message: bytes) -> bytes:
        """An id in this copy: of a message from outside what its identity gives, of what follows from one what the hub derives from it;
        else any."""
        identity = self._identities.get(message)
        if identity is not None:
            tenant, source, id_ = identity
            return message_bytes(tenant, source, id_.replace(MARK, self._word.decode()))
        if message in self._origins:
            cause, what = self._origins[message]
            renamed = self._renamed(what)
            assert isinstance(renamed, str)
            return derived(cause if cause == NEWS else self._message(cause), renamed)
        made = bytearray(blake2b(message + self._word, digest_size=16).digest())
        made[6], made[8] = made[6] & 0x0F | 0x50, made[8] & 0x3F | 0x80
        return bytes(made)


def _chosen(table: str, column: str, type_: str) -> str:
    """What stands in a column of a copy."""
    name = f"{table}.{column}"
    if name in _SPECIAL:
        return _SPECIAL[name]
    if name in _NUMBERS:
        of = _NUMBERS[name]
        return f"CASE WHEN {column} > 0 THEN {column} + :{of[:-1]} ELSE 0 END" if of.endswith("?") else f"{column} + :{of}"
    if type_ == "INTEGER":
        return f"CASE WHEN {column} > 0 THEN {column} - :back ELSE 0 END" if column in _INSTANTS else column
    if type_ == "BLOB":
        return {"message": "message_of(message)", "cause": "message_of(cause)", "fingerprint": column}.get(
            column, f"renamed({column})"
        )
    return f"renamed({column})" if column in _DERIVED_IN else f"replace({column}, :mark, :word)"


def _origins(db: sqlite3.Connection) -> Iterator[tuple[bytes, tuple[bytes, str]]]:
    """What the hub may have derived from each message that it decided, and from each request: the id, of what, and by which name."""
    payments: dict[tuple[str, str], list[str]] = {}
    for tenant, folio, payment in db.execute("SELECT tenant, folio, payment FROM payment_total"):
        payments.setdefault((tenant, folio), []).append(payment)
    for cause, tenant, key in db.execute("SELECT message, tenant, key FROM decision"):
        of_payments = [f"effect-{payment}-{number}" for payment in payments.get((tenant, key), ()) for number in range(4)]
        for what in ("quote", "refund", "arrhes", "waiting", *(f"internal:{number}" for number in range(6)), *of_payments):
            yield derived(cause, what), (cause, what)
    for effect, state, attempts, queries in db.execute("SELECT id, state, attempts, queries FROM effect"):
        what = f"reply.arrived:{effect}:{state}:{attempts}:{queries}"
        yield derived(NEWS, what), (NEWS, what)


class _NoKeys:
    """A shelf on which there are no keys: every person gets a new one."""

    def wrapped_keys(self, tenant: str, subjects: Sequence[str]) -> Mapping[str, bytes]:
        del tenant, subjects
        return {}
