"""Where a database lies, said in the store itself: one that was restored or copied finds that it is elsewhere (design, effects).

What is noted: the server, the database, the numbers that the server gave to things of the store when they were made, and the server's
timeline. A restore makes these things anew, also in the same database; a promotion or a recovery to a point in time begins another
timeline. What an ordinary role may not ask is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.store.postgresql.link import Link

_THINGS: Final = ("foliohub.meta", "foliohub.lane", "foliohub.decision_number")
_ASKED: Final = (
    (("pg_control_system()",), "SELECT system_identifier::text FROM pg_control_system()"),
    (("pg_current_wal_lsn()", "pg_walfile_name(pg_lsn)"), "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"),
)


def here(link: Link) -> str:
    """This place."""
    known = [
        str(link.execute(question).fetchone()[0])
        if all(link.execute("SELECT has_function_privilege(?, 'execute')", (name,)).fetchone()[0] for name in functions)
        else "-"
        for functions, question in _ASKED
    ]
    database = link.execute("SELECT oid::text FROM pg_database WHERE datname = current_database()").fetchone()[0]
    things = [str(link.execute("SELECT ?::regclass::oid", (name,)).fetchone()[0]) for name in _THINGS]
    domain = str(link.execute("SELECT 'foliohub.word'::regtype::oid").fetchone()[0])
    return "/".join((known[0], database, *things, domain, known[1]))


def elsewhere(link: Link) -> str:
    """Why this store is a new generation; empty if it is where it was. A store that never said where it is says so now."""
    restored = link.execute("SELECT value FROM meta WHERE name = 'restored'").fetchone()
    if restored is not None:
        return str(restored[0])
    known = link.execute("SELECT value FROM meta WHERE name = 'home' FOR UPDATE").fetchone()
    if known is None:
        settle(link)
        return ""
    now = here(link)
    if known[0] == now:
        return ""
    if known[0].rpartition("/")[0] == now.rpartition("/")[0]:
        return "this server was promoted, or recovered to a point in time: money may have moved that it does not know of"
    return "this store was restored or copied here: money may have moved since it was"


def settle(link: Link) -> None:
    """It is at home here from now on: in the transaction that makes it, or that has put everything in doubt."""
    link.execute("DELETE FROM meta WHERE name = 'restored'")
    link.execute("INSERT INTO meta VALUES ('home', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (here(link),))
