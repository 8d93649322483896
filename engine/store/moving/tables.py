"""What moves: every table of a store, in what order its rows are read on either side, and which lane they get.

**The rule of the lanes.** The target has its own number of lanes, as many as the source or more. What was decided keeps its place, lane
and offset, in the log, in the identities and in the decisions: a log is not rewritten, and `verify` replays it as it stands. Everything
that is still to come gets the lane of its key: aggregates, timers, requests, outcomes that wait for a broker, messages from inside that
wait, and messages of the intake that nobody has decided. These are placed in the lane of their key in the order of their arrival, after
what that lane has decided; their old places are free, since nobody decided them there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_OF_ITS_KEY: Final = ("tenant", "kind", "key")
_OF_ITS_FOLIO: Final = ("tenant", "'folio'", "folio")


class Carried(NamedTuple):
    """A table of the source. `order`: columns that name its rows; `key`: expressions of whose lane it gets, if `waits` is true;
    `made`: columns of the target by what they come from; `rows`: where the source has them; `counted`: where both have as many."""

    table: str
    order: str
    key: tuple[str, str, str] | None = None
    waits: str = "1"
    made: tuple[tuple[str, str], ...] = ()
    rows: str = ""
    counted: str = ""
    sequence: str = ""


TABLES: Final = (
    Carried("configuration", "id", sequence="id"),
    Carried("policy", "kind, version"),
    Carried("subject_key", "tenant, subject"),
    Carried("door_key", "id"),
    Carried("payout_switch", "tenant"),
    Carried(
        "intake", "seq", _OF_ITS_KEY, 'intake."offset" >= (SELECT next_offset FROM lane WHERE lane.lane = intake.lane)', sequence="seq"
    ),
    Carried("decision", "seq", made=(("turn", "seq"),)),
    Carried("transfer_row", "seq"),
    Carried("payment_total", "tenant, folio, payment"),
    Carried("refund_part", "tenant, folio, payment, number"),
    Carried("state", "id", _OF_ITS_KEY),
    Carried("timer", "tenant, kind, key, name", _OF_ITS_KEY),
    Carried("internal", "seq", _OF_ITS_KEY, "decision = 0", sequence="seq"),
    Carried("parked", "seq", sequence="seq"),
    Carried("blocked", "seq", sequence="seq"),
    Carried("dead_letter", "id"),
    Carried("outbox_row", "seq"),
    Carried(
        "outbox_waiting", "outbox_row.seq", ("decision.tenant", "decision.kind", "decision.key"), made=(("seq", "outbox_row.seq"),),
        rows="outbox_row JOIN decision ON decision.seq = outbox_row.seq >> 20 WHERE outbox_row.published = 0",
        counted="outbox WHERE published = 0",
    ),
    Carried("effect", "seq", _OF_ITS_FOLIO, made=(("seq", "effect.rowid"),), sequence="seq"),
    Carried("evidence", "seq", sequence="seq"),
    Carried("provider_record", "merchant, reference, level"),
    Carried("payment_query", "merchant, reference", _OF_ITS_FOLIO),
    Carried("notice", "id", _OF_ITS_FOLIO),
    Carried("contact", "tenant, folio"),
    Carried("listed", "tenant, folio, kind, item"),
)  # fmt: skip
"""All but `meta`, `lane` and the identities, which are carried apart."""

APART: Final = frozenset({"meta", "lane", "inbox_slice"})
OWN: Final = frozenset({"schema", "lanes", "probe", "home", "moved", "arriving", "moved_from", "restored", "backup", "log"})
"""What each store says of itself, and does not say of another."""
