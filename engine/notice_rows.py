"""What a folio's decision means for mail: the notices that it wants written, and how the guest of the booking is reached.

An address is no part of any state: what the last message of a booking said of its guest is kept beside it, sealed as it came, and
opened when a notice is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from engine.address import key_of, nobody
from engine.store.requests import BounceRow, ContactRow, NoticeRow
from engine.store.rows import Waiting
from handlers.outcome import Outcome
from schemas.booking import Booking
from schemas.folio import Folio, State
from schemas.notice import NoticeBounced, NoticeFailed

if TYPE_CHECKING:
    from engine.chunk import Chunk

_ENCODER = msgspec.json.Encoder()


class Reached(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody of a booking: name and address as they were told, sealed for `person`."""

    person: str = ""
    name: str = ""
    email: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The guest, and who pays if that is somebody else."""

    guest: Reached = Reached()
    payer: Reached | None = None


def stage(chunk: Chunk, row: Waiting, message: Any, seq: int, outcome: Outcome, after: State | None) -> None:
    """Stage the rows of one decision; S1-40: a notice that came back is one in its row too."""
    if isinstance(message, Booking) and isinstance(after, Folio):
        _contact(chunk, row, message, after)
    if isinstance(message, NoticeBounced):
        failed = [fact for fact in outcome.facts if isinstance(fact, NoticeFailed)]
        chunk.staging.write.bounces += [BounceRow(message.code, fact.notice) for fact in failed]
    if not outcome.notices:
        return
    lane = chunk.lane_of(row.owner)
    chunk.staging.write.notices += [
        NoticeRow(
            notice.notice, row.tenant, row.key, lane, notice.kind, notice.attempt, notice.audience, notice.language, notice.property,
            _ENCODER.encode(notice.variables), seq, chunk.now, row.correlation or row.id, row.traceparent, chunk.now,
        )
        for notice in outcome.notices
    ]  # fmt: skip


def said(chunk: Chunk, row: Waiting, notice: str) -> Mapping[str, Any]:
    """What a notice of this folio was to say, as it was decided; nothing for one that is not known here."""
    staged = [one.body for one in chunk.staging.write.notices if (one.id, one.tenant, one.folio) == (notice, row.tenant, row.key)]
    body = staged[0] if staged else chunk.staging.read.notice(row.tenant, row.key, notice)
    decoded: dict[str, Any] = {} if body is None else msgspec.json.decode(body)
    return decoded


def _contact(chunk: Chunk, row: Waiting, message: Booking, folio: Folio) -> None:
    if not chunk.settled.policies.frozen_properties[folio.policy].notices:
        return
    guest, payer = message.guest, message.payer
    contact = Contact(
        guest=Reached(person=guest.person, name=guest.name, email=guest.email),
        payer=None if payer is None else Reached(person=payer.person, name=payer.name, email=payer.email),
    )
    subject = nobody(key_of(row.tenant, row.name, message).key)
    chunk.staging.write.contacts[row.tenant, row.key] = ContactRow(row.tenant, row.key, subject, _ENCODER.encode(contact))
