"""What a message leaves behind on PostgreSQL, table by table: what docs/operating/growth.md reckons with."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg

from benchmarks import embedded
from benchmarks.messages import ids, stream
from benchmarks.setting import Figures, Setting
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from engine.clock import ManualClock
from engine.transport.contract import Taken
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running
from topics.catalogue import INTAKE

_MASTER: Final = bytes(range(32))
_SIZES: Final = """
SELECT CASE WHEN relname LIKE 'inbox%' THEN 'inbox' ELSE relname END AS name, sum(pg_table_size(oid))::bigint,
    sum(pg_indexes_size(oid))::bigint
FROM pg_class WHERE relnamespace = 'foliohub'::regnamespace AND relkind = 'r' GROUP BY 1 ORDER BY 2 DESC
"""


def measure(setting: Setting) -> Figures:
    """`stored_bytes_per_message` and `index_bytes_per_message` on PostgreSQL, after everything was decided, refunded and verified."""
    names = ids(setting.stays, setting.seed)
    events = list(stream(names, setting.lag))
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder, running(PostgreSQL(Path(folder))) as server:
        address = server.database()
        clock, providers = ManualClock(embedded.NOW), AcceptingProviders()
        with closing(
            embedded.Timed(load(None, {}), address, providers, clock=clock, lanes=INTAKE.partitions, master=_MASTER)
        ) as hub:
            taken = embedded.feed(hub, events, clock)
            assert taken == {Taken.ACCEPTED: len(events)}, taken
            embedded.check(hub, providers, names)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("VACUUM FULL")  # what the messages leave, without the room that updates wait for
            rows = connection.execute(_SIZES).fetchall()
    setting.say(f"{len(events):,} messages; bytes of each: rows, indexes")
    for name, stored, indexes in rows:
        if stored + indexes > 65_536:
            setting.say(f"{name:18}{stored / len(events):8.0f}{indexes / len(events):8.0f}")
    stored, indexes = (sum(row[place] for row in rows) for place in (1, 2))
    return {
        "stored_bytes_per_message": round(stored / len(events)),
        "index_bytes_per_message": round(indexes / len(events)),
    }
