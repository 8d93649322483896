"""Everything that one lane transaction stores, as the engine stages it; the rows themselves are `rows` and `listed`."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.store.listed import ListedRow
from engine.store.requests import BounceRow, ContactRow, EffectRow, MoveRow, NoticeRow, QueryRow
from engine.store.rows import (
    BlockedRow,
    DeadLetterRow,
    DecisionRow,
    OutboxRow,
    ParkedRow,
    Relied,
    StateWrite,
    SwitchRow,
    TimerRow,
    TransferRow,
)


@dataclass(slots=True)
class ChunkWrite:
    """Everything one lane transaction stores."""

    inbox: list[tuple[int, bytes, bytes, int, int]] = field(default_factory=list)  # slice, message, fingerprint, lane, offset
    states: list[StateWrite] = field(default_factory=list)
    relied: list[Relied] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    transfers: list[TransferRow] = field(default_factory=list)
    totals: list[tuple[str, str, str, str, int, int]] = field(default_factory=list)  # .. payment, currency, captured, given
    parts: list[tuple[str, str, str, int, str, int]] = field(default_factory=list)  # tenant, folio, payment, number, refund, minor
    timers: dict[tuple[str, str, str, str], TimerRow | None] = field(default_factory=dict)  # None: cancelled
    done: list[tuple[int, int]] = field(default_factory=list)  # decision, internal seq
    parked: list[ParkedRow] = field(default_factory=list)
    unparked: list[int] = field(default_factory=list)
    blocked: list[BlockedRow] = field(default_factory=list)
    unblocked: list[int] = field(default_factory=list)
    dead_letters: list[DeadLetterRow] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    effects: list[EffectRow] = field(default_factory=list)
    moves: list[MoveRow] = field(default_factory=list)
    queries: list[QueryRow] = field(default_factory=list)
    notices: list[NoticeRow] = field(default_factory=list)
    bounces: list[BounceRow] = field(default_factory=list)
    contacts: dict[tuple[str, str], ContactRow] = field(default_factory=dict)  # the last of each folio
    listed: list[ListedRow] = field(default_factory=list)
    unlisted: list[tuple[str, str, str, str]] = field(default_factory=list)  # tenant, folio, kind, item
    switches: list[SwitchRow] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)  # tenant, subject
    positions: dict[int, tuple[int, int]] = field(default_factory=dict)  # lane: base, next
