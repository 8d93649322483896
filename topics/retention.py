"""How long each kind of data is kept and why (X-26): every table of a store, every topic, every personal field has a class.

This says; what carries it out is `engine.housekeeping`, the brokers, and `person.forget`. What nothing removes by itself says so
(`by_itself` false), and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from topics.catalogue import INTAKE_DAYS, TOPICS


class RetentionClass(msgspec.Struct, frozen=True, kw_only=True):
    """`days`: how long at least, None: until what `ends` says; `setting`: the key of `[hub]` that settles it instead. `by_itself`: the
    hub, or a broker, removes it then."""

    name: str
    ends: str
    why: str
    by_itself: bool
    days: int | None = None
    setting: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of data: `kind` is table, topic or personal."""

    kind: str
    name: str
    retention_class: str


CLASSES: Final[Mapping[str, RetentionClass]] = MappingProxyType(
    {
        one.name: one
        for one in (
            RetentionClass(
                name="invoice",
                days=3653,
                ends="ten years after the booking's year; nothing removes it yet",
                why="what was ordered, decided, booked and told, by which accounts are proven; no person is named in it in the clear",
                by_itself=False,
            ),
            RetentionClass(
                name="correspondence",
                days=1827,
                ends="five years after it was sent; nothing removes it yet",
                why="that a guest or merchant was written to, and when; not what about them",
                by_itself=False,
            ),
            RetentionClass(
                name="person",
                ends="`person.forget` destroys the key that it is sealed under, in everything that is stored at once",
                why="to reach the guest while there is something to say",
                by_itself=False,
            ),
            RetentionClass(
                name="proof",
                ends="kept elsewhere: here is a reference; anything else was refused, and is gone with the key of `folio:<folio>`",
                why="why a booking was cancelled without a penalty can be looked up where it is kept",
                by_itself=False,
            ),
            RetentionClass(
                name="key",
                ends="with the person or the month of dead letters it is of; a door's is revoked and stays",
                why="without it what it seals cannot be read; who could come in by a door can be proven",
                by_itself=True,
            ),
            RetentionClass(
                name="identity",
                setting="inbox_days",
                ends="a week at a time",
                why="a message that is repeated is known again",
                by_itself=True,
            ),
            RetentionClass(
                name="dead_letter",
                setting="dead_letter_days",
                ends="after the month the key of the bytes is destroyed; the row with its reason stays",
                why="what could not be used can be looked into and sent anew",
                by_itself=True,
            ),
            RetentionClass(
                name="passing",
                ends="with what it waits for",
                why="work that is not done yet",
                by_itself=True,
            ),
            RetentionClass(
                name="settings",
                ends="with the store",
                why="by which settings and by whom a decision was made; where a store stands",
                by_itself=False,
            ),
            RetentionClass(
                name="stream",
                days=INTAKE_DAYS,
                ends="the broker drops it; what was decided or published is in the store",
                why="those who read it may be away for so long",
                by_itself=True,
            ),
        )
    }
)

TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "intake": "invoice",
        "internal": "invoice",
        "decision": "invoice",
        "state": "invoice",
        "transfer_row": "invoice",
        "payment_total": "invoice",
        "refund_part": "invoice",
        "outbox_row": "invoice",
        "effect": "invoice",
        "evidence": "invoice",
        "provider_record": "invoice",
        "listed": "passing",
        "notice": "correspondence",
        "contact": "person",
        "subject_key": "key",
        "door_key": "key",
        "inbox_slice": "identity",
        "inbox": "identity",
        "dead_letter": "dead_letter",
        "timer": "passing",
        "parked": "passing",
        "blocked": "passing",
        "payment_query": "passing",
        "outbox_waiting": "passing",
        "outbox_asked": "passing",
        "lease": "passing",
        "lane": "settings",
        "lane_end": "settings",
        "meta": "settings",
        "policy": "settings",
        "configuration": "settings",
        "payout_switch": "settings",
    }
)
"""Of both engines; a table that only one of them has is among them."""

PERSONAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f"{who}.{field}": "person" for who in ("guest", "payer") for field in ("name", "email", "phone", "address")},
        "reason": "person",
        "proof": "proof",
    }
)
"""By the field's place in a message; sealed in `intake`, `internal`, `parked`, `blocked` and `contact`, whatever their own class."""


def retention() -> tuple[Kept, ...]:
    """X-26: every kind of data that is stored or sent, with its class."""
    return (
        *[Kept(kind="table", name=name, retention_class=of) for name, of in TABLES.items()],
        *[Kept(kind="topic", name=one.name, retention_class=one.retention_class) for one in TOPICS],
        *[Kept(kind="personal", name=name, retention_class=of) for name, of in PERSONAL.items()],
    )
