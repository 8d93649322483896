"""How rows are written in bulk: each column as one array, so that a statement is the same whatever number of rows it writes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from engine.store.postgresql.arrays import MAKERS

if TYPE_CHECKING:
    from engine.store.postgresql.link import Link

_TYPES: Final = {"n": "bigint[]", "t": "text[]", "b": "bytea[]"}

CARGO: Final = "message source id name act received_at correlation traceparent body"
_CARGO_TYPES: Final = "bttt" + "nnttb"
TABLES: Final[dict[str, tuple[str, str]]] = {
    "inbox": ("slice message fingerprint lane offset", "nbbnn"),
    "state": ("id lane tenant kind key version sequence shape blocked since body", "bntttnnntnb"),
    "decision": (
        "seq parent since origin lane place message tenant kind key name result act received_at decided_at configuration correlation"
        " traceparent record turn",
        "nnntnnbtttttnnnnttbn",
    ),
    "transfer_row": ("seq entry subject debit credit minor currency", "nttttnt"),
    "payment_total": ("tenant folio payment currency captured given_back", "ttttnn"),
    "refund_part": ("tenant folio payment number refund minor", "tttntn"),
    "timer": ("tenant kind key name lane due what subject", "ttttnntt"),
    "parked": (f"tenant kind key waits_for since decision {CARGO}", f"ttttnn{_CARGO_TYPES}"),
    "blocked": (f"tenant kind key dead_letter {CARGO}", f"tttt{_CARGO_TYPES}"),
    "dead_letter": (
        "id at tenant kind key why code field value reason door attributes bytes message name received_at status",
        "tnttttttttttbbtnt",
    ),
    "outbox_asked": ("seq", "n"),
    "outbox_row": ("seq name sequence body", "ntnb"),
    "outbox_waiting": ("seq lane", "nn"),
    "effect": (
        "id tenant folio lane business_key kind provider merchant payment reference order_ref minor currency refund property last"
        " needs_approval state decision created_at next_at correlation traceparent",
        "tttntttttttnttt" + "nntnnntt",
    ),
    "notice": (
        "id tenant folio lane kind attempt audience language property body decision created_at correlation traceparent next_at",
        "tttntntttbnnttn",
    ),
    "listed": ("tenant folio kind item property queue marks rank", "tttttttt"),
    "contact": ("tenant folio subject body", "tttb"),
    "intake": (
        "lane offset message fingerprint tenant source id name kind key act received_at correlation traceparent door scrubbed body",
        "nnbbttttttnnttttb",
    ),
    "internal": (
        "lane message tenant source id name kind key act received_at correlation traceparent cause body",
        "nbttttttnnttnb",
    ),
    "evidence": ("at effect merchant reference act result code request answer", "ntttttttt"),
    "payment_query": (
        "merchant reference provider order_ref tenant folio lane payment due attempts lease_until",
        "ttttttntnnn",
    ),
    "payout_switch": ("tenant stopped by reason at", "tnttn"),
    "subject_key": ("tenant subject wrapped", "ttb"),
}
"""Columns of each table in the order of its rows, and what each is: a number, text or bytes."""


@lru_cache(maxsize=256)
def _insert(table: str, then: str, order: str) -> bytes:
    names, types = TABLES[table]
    columns = ", ".join(f'"{name}"' for name in names.split())
    arrays = ", ".join(f"%b::{_TYPES[type_]}" for type_ in types)
    sorted_ = f" ORDER BY {order}" if order else ""
    return f"INSERT INTO {table} ({columns}) SELECT * FROM unnest({arrays}) AS row ({columns}){sorted_} {then}".encode()


def insert(link: Link, table: str, rows: Sequence[Sequence[object]], then: str = "", *, order: str = "") -> int:
    """All rows in one statement; how many it wrote. `then`: what is to happen to a row that is there; `order`: in which order, so that
    two who write the same rows do not wait for each other."""
    if not rows:
        return 0
    arrays = [MAKERS[type_](column) for type_, column in zip(TABLES[table][1], zip(*rows, strict=True), strict=True)]
    return link.raw.execute(_insert(table, then, order), arrays).rowcount


@lru_cache(maxsize=64)
def _given(columns: str, types: str) -> str:
    arrays = ", ".join(f"%b::{_TYPES[type_]}" for type_ in types)
    return f"unnest({arrays}) AS given ({columns})"


def given(columns: str, types: str) -> str:
    """A table `given` of these columns, bound to one array each: `given("seq, decision", "nn")`."""
    return _given(columns, types)
