"""What a provider's history of a payment says about our requests on it. Pure: records and effects in, findings out.

Each record belongs to exactly one effect of ours, to the payment itself, or is foreign. After a silence exactly one new record with
our operation and our amount is ours; anything else is for a person (design, effects).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.effect import EffectKind, EffectState, ProviderRecord, RecordKind, Result


class Known(NamedTuple):
    """A record as the store has it."""

    owner: str  # effect:<id> | payment | foreign
    result: Result


class Open(NamedTuple):
    """An effect on the payment, as far as matching needs it; `record` is the level it is bound to, empty: none yet."""

    id: str
    kind: EffectKind
    state: EffectState
    minor: int
    record: str


class Findings(NamedTuple):
    """`bound`: (effect, record) newly matched. `moved`: (effect, record) whose record says something new. `foreign` and `payment`:
    records that are new or changed. `absent`: effects in doubt of which nothing is to be seen. `unclear`: (effect, why)."""

    bound: tuple[tuple[str, ProviderRecord], ...]
    moved: tuple[tuple[str, ProviderRecord], ...]
    foreign: tuple[ProviderRecord, ...]
    payment: tuple[ProviderRecord, ...]
    absent: tuple[str, ...]
    unclear: tuple[tuple[str, str], ...]


_RECORD_OF = {EffectKind.REFUND: RecordKind.REFUND, EffectKind.CAPTURE: RecordKind.CAPTURE, EffectKind.VOID: RecordKind.VOID}
_SEEKS = frozenset(
    {EffectState.SENDING, EffectState.UNKNOWN, EffectState.ACCEPTED, EffectState.CONFIRMED, EffectState.NEEDS_PERSON}
)


def compare(records: Sequence[ProviderRecord], known: Mapping[str, Known], effects: Sequence[Open]) -> Findings:
    """Sort a whole history, oldest first, against what was known before it and the effects on this payment."""
    bound: list[tuple[str, ProviderRecord]] = []
    moved: list[tuple[str, ProviderRecord]] = []
    foreign: list[ProviderRecord] = []
    payment: list[ProviderRecord] = []
    fresh: list[ProviderRecord] = []
    for record in records:
        before = known.get(record.level)
        if before is None:
            fresh.append(record)
        elif before.owner.startswith("effect:"):
            if before.result is not record.result:
                moved.append((before.owner.removeprefix("effect:"), record))
        elif before.result is not record.result:
            (foreign if before.owner == "foreign" else payment).append(record)
    seeking = [effect for effect in effects if not effect.record and effect.state in _SEEKS]
    absent: list[str] = []
    unclear: list[tuple[str, str]] = []
    taken: set[str] = set()
    for effect in seeking:
        rivals = [other for other in seeking if other.kind is effect.kind]
        mine = [record for record in fresh if record.kind is _RECORD_OF[effect.kind]]
        if not mine:
            absent.append(effect.id)
        elif len(rivals) == 1 and len(mine) == 1 and mine[0].minor in (None, effect.minor):
            bound.append((effect.id, mine[0]))
            taken.add(mine[0].level)
        else:
            shown = ", ".join(f"{record.level}: {record.minor} ({record.status})" for record in mine)
            unclear.append((effect.id, f"asked for {effect.minor}, the provider shows new {effect.kind.value}s {shown}"))
            taken.update(record.level for record in mine)
    for record in fresh:
        if record.level in taken:
            continue
        (foreign if record.kind is RecordKind.REFUND else payment).append(record)
    return Findings(tuple(bound), tuple(moved), tuple(foreign), tuple(payment), tuple(absent), tuple(unclear))
