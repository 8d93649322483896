"""An operator's word about the engine's own affairs: payouts, dead letters, people, and the alarm of what waits too long (X-15)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.store.rows import DeadLetterRow, Key, SwitchRow, Waiting
from engine.verdict import Operated
from handlers.cancellation_right import HOUSE
from handlers.outcome import NOTHING, Outcome, Step
from schemas.common import ActorKind, Fact
from schemas.errors import Rejected
from schemas.operations import MessageDeadLettered, MessageParked, PayoutAlarm, PayoutsSwitched, PersonForgotten

if TYPE_CHECKING:
    from engine.chunk import Chunk

PARKED_ALARM = "parked_alarm"


def _by(message: Any) -> str:
    return f"{message.actor.kind.value}:{message.actor.id}"


def _told(fact: Fact, text: str, rule: str = "X-15") -> Outcome:
    return Outcome(facts=(fact,), trace=(Step(rule, text),))


def _payouts(chunk: Chunk, row: Waiting, message: Any) -> Operated:
    """`payouts.stop`, `payouts.start` (X-27): the switch that stops all payouts of a tenant; the effects runner reads it before each send.
    What was said later stands, in whatever order it is decided: a log that is read again starts nothing."""
    _check_house(message)
    stopped = row.name == "payouts.stop"
    chunk.staging.write.switches.append(SwitchRow(row.tenant, int(stopped), _by(message), message.reason, row.received_at))
    word = "stopped" if stopped else "started"
    return Operated(_told(PayoutsSwitched(by=_by(message), reason=message.reason), f"payouts {word} by {_by(message)}", "X-27"))


def _forget(chunk: Chunk, row: Waiting, message: Any) -> Operated:
    """X-11: the person's key is destroyed; what it sealed is unreadable from now on, everything else stays exact."""
    if not message.subject:
        raise Rejected("name the person to forget in `subject`", code="unknown_person", rule="X-11", field="subject")
    chunk.staging.write.forgotten.append((row.tenant, message.subject))
    return Operated(
        _told(PersonForgotten(person=message.subject), f"key of {message.subject} destroyed for {_by(message)}", "X-11")
    )


def _check_house(message: Any) -> None:
    """X-15: the engine's own affairs are no guest's and no channel's. Raises Rejected `not_allowed`."""
    kind = message.actor.kind
    if kind not in HOUSE and kind is not ActorKind.SYSTEM:
        text = f"{kind.value} may not do this: it is for the merchant, the platform, an operator or a system of theirs"
        raise Rejected(text, code="not_allowed", rule="X-15", field="actor", value=kind.value)


def _letter(chunk: Chunk, row: Waiting, message: Any) -> DeadLetterRow:
    _check_house(message)
    letter = chunk.staging.dead_letter(message.subject)
    if letter is None or letter.tenant != row.tenant:
        raise Rejected(
            f"dead letter {message.subject!r} is not known",
            code="unknown_dead_letter",
            rule="X-15",
            field="subject",
            value=message.subject,
        )
    if letter.kind and (letter.kind, letter.key) != (row.kind, row.key):
        raise Rejected(
            f"dead letter {letter.id} is of {letter.kind} {letter.key!r}: leave `folio` out, or name that one",
            code="unknown_dead_letter",
            rule="X-15",
            field="folio",
            value=row.key,
        )
    if letter.status != "open":
        raise Rejected(
            f"dead letter {message.subject} is {letter.status} already",
            code="dead_letter_closed",
            rule="X-15",
            field="subject",
            value=letter.id,
        )
    return letter


def _replay(chunk: Chunk, row: Waiting, message: Any) -> Operated:
    """Decide a dead-lettered message again, then what queued behind it, oldest first."""
    letter = _letter(chunk, row, message)
    if letter.why != "defect":
        raise Rejected(
            f"dead letter {letter.id} is {letter.why}: only a defect is decided again; correct and send the message anew",
            code="not_replayable",
            rule="X-15",
            field="subject",
            value=letter.id,
        )
    chunk.staging.keep_letter(letter._replace(status="replayed"))
    return Operated(_outcome(letter, message, "replayed"), replay=letter.id, unblocks=_blocking(chunk, row, letter))


def _discard(chunk: Chunk, row: Waiting, message: Any) -> Operated:
    """Give a dead letter up; what queued behind it goes on."""
    letter = _letter(chunk, row, message)
    chunk.staging.keep_letter(letter._replace(status="discarded"))
    return Operated(_outcome(letter, message, "discarded"), unblocks=_blocking(chunk, row, letter))


def _outcome(letter: DeadLetterRow, message: Any, word: str) -> Outcome:
    return Outcome(
        trace=(Step("X-15", f"dead letter {letter.id} {word} by {_by(message)}: {message.reason or 'no reason given'}"),)
    )


def _blocking(chunk: Chunk, row: Waiting, letter: DeadLetterRow) -> str:
    return letter.id if chunk.staging.state(Key(row.tenant, row.kind, row.key)).blocked == letter.id else ""


def parked_alarm(chunk: Chunk, row: Waiting, message: Any) -> Operated:
    """X-2: what has waited too long is told again, once."""
    parked = chunk.staging.still_parked(Key(row.tenant, row.kind, row.key), bytes.fromhex(message.subject))
    if parked is None:
        return Operated(NOTHING)
    fact = MessageParked(input=parked.cargo.id, type=parked.cargo.name, waits_for=parked.waits_for, alarm=True)
    return Operated(_told(fact, f"{parked.cargo.name} {parked.cargo.id} still waits for {parked.waits_for}", "X-2"))


def _braked(_chunk: Chunk, _row: Waiting, message: Any) -> Operated:
    """X-27: a brake holds a payout back; people are told."""
    fact = PayoutAlarm(
        brake=message.brake, effect=message.effect, amount=message.minor, currency=message.currency, limit=message.limit
    )
    return Operated(_told(fact, f"{message.brake} above {message.limit}: effect {message.effect} waits", "X-27"))


def _kept(_chunk: Chunk, _row: Waiting, message: Any) -> Operated:
    """A door could not read something that named this tenant."""
    fact = MessageDeadLettered(
        dead_letter=message.dead_letter,
        reason=message.reason,
        code=message.code,
        field=message.field,
        value=message.value,
        input=message.input,
    )
    return Operated(_told(fact, f"kept as dead letter {message.dead_letter}"))


OPERATIONS: Mapping[str, Callable[[Chunk, Waiting, Any], Operated]] = {
    "payouts.stop": _payouts,
    "payouts.start": _payouts,
    "person.forget": _forget,
    "dead_letter.replay": _replay,
    "dead_letter.discard": _discard,
    "dead_letter.kept": _kept,
    "payout.braked": _braked,
}
"""Messages that the engine itself carries out."""
