"""The same on PostgreSQL, which plans by what it believes of a table: a statement that is planned while a store is young is kept, and
must not be one that reads a table from one end to the other when it has grown.

The server counts such readings itself. A young store is the hard case: whoever thinks that a table is small reads all of it.
"""

from __future__ import annotations

import re

import psycopg

from engine.store.postgresql.database import Database
from tests.engine.sandbox import Sandbox
from tests.engine.store.test_plans import _SILENT, SMALL, a_day, what_is_asked, what_is_seldom

WAIT = {"outbox_waiting", "outbox_asked", "lane_end", "lease", "decision_number"}
"""As large as what waits, or as there are lanes."""
ASKED = {"effect": 2, "dead_letter": 2, "notice": 2, "intake": 1, "inbox_part": 2}
"""Which this day reads so often, since somebody asks for all of them: `listing` twice and once, the day itself for any one of them. A part
of the inbox is read twice while it is made and empty."""
COUNTED = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'foliohub'"


def scans(box: Sandbox, address: str) -> dict[str, int]:
    """How often each table was read from one end to the other."""
    with box.database.look() as link:
        link.execute("SELECT pg_stat_force_next_flush()")
    with psycopg.connect(address) as connection:
        return dict(connection.execute(COUNTED).fetchall())


def test_no_growing_table_is_read_whole(postgres_url: str) -> None:
    """Nothing that a running hub does, a door is asked or an operator says often."""
    box = Sandbox(_SILENT, store=Database(postgres_url))
    before = scans(box, postgres_url)
    for play in (a_day, what_is_seldom, what_is_asked):
        play(box)
    after = scans(box, postgres_url)
    box.hub.close()
    read = {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}
    grows = {re.sub(r"_\d+$", "_part", name): count for name, count in read.items() if name not in SMALL | WAIT}

    assert grows == ASKED
    assert len(before) > 20
