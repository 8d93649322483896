"""An intake for the tests of transports: durable, knows repeats, decides nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.transport.contract import Arrival, Receipt, Taken


class Recorder:
    """Every arrival a row of a SQLite file. `before` and `after` are called around the commit of a batch and may raise, or kill."""

    def __init__(self, path: Path, *, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self.before = before
        self.after = after
        self.batches: list[int] = []
        self._lock = threading.Lock()
        with self._open() as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS arrival "
                "(n INTEGER PRIMARY KEY, id TEXT, body BLOB, attributes TEXT, type TEXT, door TEXT)"
            )
            db.execute("CREATE TABLE IF NOT EXISTS known (id TEXT PRIMARY KEY)")

    def append(self, arrivals: Sequence[Arrival]) -> Sequence[Receipt]:
        """One commit for all of them."""
        self.before()
        with self._lock:
            db = self._open()
            with db:
                receipts = [self._store(db, arrival) for arrival in arrivals]
            db.close()
            self.batches.append(len(arrivals))
        self.after()
        return receipts

    def ids(self) -> list[str]:
        """In the order of their first arrival, each once."""
        return list(dict.fromkeys(id_ for id_, *_ in self.rows() if id_))

    def rows(self) -> list[tuple[str, bytes, dict[str, str], str, str]]:
        """(id, body, attributes, content type, door) of every arrival, repeats included."""
        db = self._open()
        found = db.execute("SELECT id, body, attributes, type, door FROM arrival ORDER BY n").fetchall()
        db.close()
        return [(id_, body, json.loads(attributes), type_, door) for id_, body, attributes, type_, door in found]

    def _store(self, db: sqlite3.Connection, arrival: Arrival) -> Receipt:
        id_, readable = arrival.attributes.get("id", ""), True
        try:
            data = json.loads(arrival.body)
            if arrival.content_type == "application/cloudevents+json":
                id_ = data["id"]
        except ValueError:
            readable = False
        row = (id_, arrival.body, json.dumps(dict(arrival.attributes)), arrival.content_type, arrival.door)
        db.execute("INSERT INTO arrival (id, body, attributes, type, door) VALUES (?, ?, ?, ?, ?)", row)
        if not readable or not id_:
            return Receipt(taken=Taken.DEAD, id=id_, reason="no JSON or no id")
        fresh = db.execute("INSERT INTO known VALUES (?) ON CONFLICT DO NOTHING RETURNING id", (id_,)).fetchall()
        return Receipt(taken=Taken.ACCEPTED if fresh else Taken.DUPLICATE, id=id_)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=30)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        return db
