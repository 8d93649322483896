"""The streams as data: the single list of topics. From it come Kafka's topics, the AsyncAPI document and the tables in the docs.

All that concerns one folio enters by one topic under one key, so that it keeps its order. Partitions are fixed for good: they
cannot be changed without breaking that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from schemas.registry import IN, OUT, family

INTAKE_DAYS = 35
OUTCOME_DAYS = 35


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One stream. `takes` are names of messages that come in by it, `gives` of those that go out. `retention_days` of whole
    days, `compacted`: the last message of a key is kept besides; `retention_class` says why (X-26). `dead_letters` is where what
    cannot be used goes, "" nowhere."""

    name: str
    about: str
    key: str
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    partitions: int = 32
    retention_days: int = OUTCOME_DAYS
    retention_class: str = "stream"
    compacted: bool = False
    dead_letters: str = ""


# Which area each family of outcomes is published in; a family is in one area only.
_AREAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "booking": ("booking",),
        "payment": ("payment", "receipt", "provider", "dispute"),
        "folio": ("folio", "channel"),
        "cancellation": ("cancellation", "force_majeure"),
        "refund": ("refund",),
        "stock": ("stock",),
        "commission": ("commission",),
        "accounting": ("accounting",),
        "balance": ("balance",),
        "voucher": ("voucher",),
        "notice": ("notice",),
        "ops": ("payout", "payouts", "approval", "effect", "dead_letter", "person", "message", "guarantee"),
    }
)
_ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "booking": "What the hub makes of bookings: accepted, what is due and when.",
        "payment": "Money taken, released, contested, or without a home.",
        "folio": "Ordered, collected and balance of an account; what a channel owes for one; accounts that stand still.",
        "cancellation": "Quotes, confirmations and refusals of cancellations; declared force majeure.",
        "refund": "Refunds from decision to execution, and what became of them.",
        "stock": "Sellable units that are free again.",
        "commission": "Commission that is given back.",
        "accounting": "VAT of what is sold and of what is kept; credit notes that are to be written.",
        "balance": "What remains to be paid: asked for, answered, paid, late.",
        "voucher": "Vouchers: asked about, held, spent, let go, issued, expired.",
        "notice": "What guests and merchants are written, and what became of it.",
        "ops": "What people who run the hub are told.",
    }
)


_KEYS: Mapping[str, str] = MappingProxyType(
    {"ops": "folio, or the tenant for what concerns no folio", "voucher": "folio, or the number of the voucher itself"}
)


def _named(area: str) -> str:
    return f"foliohub.{area}.v1"


def _outcomes(families: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(families)
    return tuple(name for name in OUT if family(name) in wanted)


INTAKE = Topic(
    name=_named("intake"),
    about="Everything that is said to the hub: bookings, payments, requests, operators' words.",
    key="folio, or the first reference (namespace and value), or the area or subject that the message names",
    takes=tuple(IN),
    retention_days=INTAKE_DAYS,
    dead_letters=_named("intake.dead"),
)
DEAD = Topic(
    name=INTAKE.dead_letters,
    about="Bytes that are no message of ours, as they came, with the reason in headers `foliohub-dlq-*`; the store's row counts.",
    key="none",
    partitions=1,
    retention_days=INTAKE_DAYS,
)
TOPICS: tuple[Topic, ...] = (
    INTAKE,
    *(
        Topic(
            name=_named(area),
            about=_ABOUT[area],
            key=_KEYS.get(area, "folio"),
            gives=_outcomes(families),
        )
        for area, families in _AREAS.items()
    ),
    DEAD,
)

_TOPIC_OF: Mapping[str, str] = MappingProxyType(
    {name: topic.name for topic in TOPICS for name in (*topic.takes, *topic.gives)},
)


def topic_of(name: str) -> str:
    """The topic of a message name, in or out: `refund.decided` is on `foliohub.refund.v1`. Raises KeyError for an unknown name."""
    return _TOPIC_OF[name]


def topic(name: str) -> Topic:
    """A topic by its own name. Raises KeyError."""
    return {one.name: one for one in TOPICS}[name]
