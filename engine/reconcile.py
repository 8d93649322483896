"""What a provider's history of a payment says about our requests on it. Pure: records and effects in, findings out.

Each record belongs to exactly one effect of ours, to the payment itself, or is foreign. After a silence exactly one new record with
our operation and our amount is ours; anything else is for a person (design, effects).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from handlers.effect import FINAL, step
from schemas.effect import EffectKind, EffectState, ProviderRecord, RecordKind, Result


class Known(NamedTuple):
    """A record as the store has it."""

    owner: str  # effect:<id> | payment | foreign
    kind: RecordKind
    result: Result
    seen_at: int  # when it was first seen, microseconds
    minor: int | None = None  # the last amount that it was shown with


class Open(NamedTuple):
    """An effect on the payment, as far as matching needs it; `record` is the level it is bound to, empty: none yet; `sent_at` in
    microseconds, `minor` in minor units of `currency`."""

    id: str
    kind: EffectKind
    state: EffectState
    minor: int
    record: str
    sent_at: int
    currency: str


class Findings(NamedTuple):
    """`bound`: (effect, record) newly matched. `moved`: (effect, record) whose record says something new. `foreign` and `payment`:
    records that are new or changed. `absent`: effects in doubt of which nothing is to be seen. `unclear`: (effect, why).
    `aside`: new records that nobody can place while a request of their kind is on its way: its answer will tell.
    `hazy`: new records whose status says neither what they are nor how they end, while a request that they could be is in doubt:
    nobody's until they say more. `veiled`: records of money that moved and of which no amount has been shown yet: nobody's until it is."""

    bound: tuple[tuple[str, ProviderRecord], ...]
    moved: tuple[tuple[str, ProviderRecord], ...]
    foreign: tuple[ProviderRecord, ...]
    payment: tuple[ProviderRecord, ...]
    absent: tuple[str, ...]
    unclear: tuple[tuple[str, str], ...]
    aside: tuple[ProviderRecord, ...] = ()
    hazy: tuple[ProviderRecord, ...] = ()
    veiled: tuple[ProviderRecord, ...] = ()


_RECORD_OF = {EffectKind.REFUND: RecordKind.REFUND, EffectKind.CAPTURE: RecordKind.CAPTURE, EffectKind.VOID: RecordKind.VOID}
_FINAL_SAYS = frozenset({Result.CONFIRMED, Result.REFUSED, Result.REVERSED})
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
    by_level = {effect.record: effect.id for effect in effects if effect.record}
    seeking = [effect for effect in effects if not effect.record and effect.state in _SEEKS]
    sought = {_RECORD_OF[effect.kind] for effect in seeking}
    for record in (_remembered(record, known) for record in records):
        before = known.get(record.level)
        if before is None:
            if record.level in by_level:  # a person named it
                bound.append((by_level[record.level], record))
            else:
                fresh.append(record)
        elif before.owner.startswith("effect:"):
            if before.result is not record.result:
                moved.append((before.owner.removeprefix("effect:"), record))
        elif _turned(before, record, sought):
            fresh.append(record)
        elif before.result is not record.result:
            (foreign if before.owner == "foreign" else payment).append(record)
    hazy = [record for record in fresh if _hazy(record, sought) and any(_fits(record, effect) for effect in seeking)]
    fresh = [record for record in fresh if record not in hazy]
    absent: list[str] = []
    unclear: list[tuple[str, str]] = []
    aside: list[ProviderRecord] = []
    for kind, shown in _RECORD_OF.items():
        rivals = [effect for effect in seeking if effect.kind is kind]
        if not rivals:
            continue
        mine = [record for record in fresh if record.kind is shown and any(_later(record, rival, known) for rival in rivals)]
        if any(effect.state is EffectState.SENDING for effect in rivals):
            aside += mine
            aside += [record for record in hazy if record not in aside]
            fresh = [record for record in fresh if record not in mine]
            continue
        for effect in [rival for rival in rivals if rival.state is EffectState.CONFIRMED]:  # by a person, who named no record
            rivals.remove(effect)
            fitting = sorted((record for record in mine if _fits(record, effect)), key=lambda record: not moved_money(record))
            done = fitting[0] if fitting else None
            if done is not None:
                bound.append((effect.id, done))
                mine.remove(done)
                fresh.remove(done)
        doubtful = [record for record in hazy if any(_fits(record, rival) for rival in rivals)]
        if len(rivals) == 1 and len(mine) == 1 and not doubtful and _fits(mine[0], rivals[0]):
            bound.append((rivals[0].id, mine[0]))
            fresh.remove(mine[0])
        elif rivals and mine:
            unclear += [(one.id, _unlike(one, [*mine, *doubtful])) for one in rivals]
            fresh = [record for record in fresh if record not in mine]
        elif not doubtful:
            absent += [effect.id for effect in rivals]
    for record in fresh:
        (foreign if record.kind is RecordKind.REFUND else payment).append(record)
    veiled = tuple(record for record in (*foreign, *payment) if _veiled(record))
    others, own = (tuple(one for one in some if one not in veiled) for some in (foreign, payment))
    return Findings(tuple(bound), tuple(moved), others, own, tuple(absent), tuple(unclear), tuple(aside), tuple(hazy), veiled)


def _remembered(record: ProviderRecord, known: Mapping[str, Known]) -> ProviderRecord:
    """The record with the amount that it had before, where this answer lacks it."""
    before = known.get(record.level)
    if record.minor is not None or before is None or before.minor is None or before.kind is not record.kind:
        return record
    return replace(record, minor=before.minor)


def _veiled(record: ProviderRecord) -> bool:
    """Whether money moved by it, nobody knows how much: any attribute may be missing in an answer."""
    if record.minor is not None:
        return False
    if record.kind is RecordKind.CAPTURE:
        return record.result in _FINAL_SAYS
    if record.kind is RecordKind.VOID:
        return record.result is Result.CONFIRMED
    return record.kind is RecordKind.REFUND and moved_money(record)


def _turned(before: Known, record: ProviderRecord, sought: Collection[RecordKind]) -> bool:
    """Whether what was the payment's for want of a better word shows itself as a refund, or as what a request seeks, or an
    authorisation as its own capture: it is matched as if it were new. What else stood as a success of the payment stays the payment's;
    what was told as foreign stays foreign."""
    if before.owner != "payment" or record.kind is before.kind:
        return False
    uncertain = before.result is not Result.CONFIRMED
    return _taken(before, record) or (uncertain and (record.kind is RecordKind.REFUND or record.kind in sought))


def _taken(before: Known, record: ProviderRecord) -> bool:
    """Whether an authorisation has become a capture: a provider without levels shows both in one place."""
    return before.kind is RecordKind.AUTHORISATION and record.kind is RecordKind.CAPTURE


def _hazy(record: ProviderRecord, sought: Collection[RecordKind]) -> bool:
    """Whether a status may be that of any operation: uncertain ones are shown by whatever word, 92 for a refund too."""
    return record.result is Result.UNKNOWN and record.kind is not RecordKind.REFUND and record.kind not in sought


def _fits(record: ProviderRecord, effect: Open) -> bool:
    return record.minor in (None, effect.minor) and _same_currency(record, effect)


def _same_currency(record: ProviderRecord, effect: Open) -> bool:
    return record.currency in ("", effect.currency)


def _unlike(effect: Open, records: Sequence[ProviderRecord]) -> str:
    """Why none of these is certainly the effect's; the currency where it is another one (X-4)."""
    kind = _RECORD_OF[effect.kind].value
    if all(_same_currency(record, effect) for record in records):
        text = ", ".join(f"{record.level}: {record.minor} ({record.status})" for record in records)
        return f"asked for {effect.minor}, the provider shows new {kind}s {text}"
    text = ", ".join(f"{record.level}: {record.minor} {record.currency} ({record.status})" for record in records)
    return f"asked for {effect.minor} {effect.currency}, the provider shows new {kind}s {text}"


def _later(record: ProviderRecord, effect: Open, known: Mapping[str, Known]) -> bool:
    """Whether a record was not there yet when a request went out, or was no capture then."""
    before = known.get(record.level)
    return before is None or before.seen_at >= effect.sent_at or _taken(before, record)


def moved_money(record: ProviderRecord) -> bool:
    """Whether a record stands: what it says was done, or may yet be."""
    return record.result not in (Result.REFUSED, Result.REVERSED)


def after_result(state: EffectState, result: Result) -> EffectState:
    """Where a result leads: a no after a success is its reversal, the reversal of what nobody heard succeed is a no; what a final
    state hears beside that changes nothing (the folio is told of money that moved all the same)."""
    if state is EffectState.CONFIRMED:
        return step(state, Result.REVERSED) if result in (Result.REFUSED, Result.REVERSED) else state
    if state in FINAL:
        return state
    if result is Result.UNKNOWN and state is not EffectState.SENDING:
        return state
    return step(state, Result.REFUSED if result is Result.REVERSED else result)
