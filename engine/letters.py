"""Dead letters of doors: bytes that are no message, kept scrubbed of cards and sealed with a tenant key that expires with its month."""

from __future__ import annotations

from uuid import UUID, uuid5

import msgspec

from engine.address import lane_of
from engine.clock import instant
from engine.opening import MAX_BODY
from engine.store.rows import DeadLetterRow, InternalRow, Key
from engine.transport.contract import Arrival
from engine.vault import Vault
from schemas import registry
from schemas.cards import scrub, scrub_bytes
from schemas.errors import HubError
from schemas.operations import DeadLetterKept

DEAD_LETTERS = "dead-letters/"
"""Subjects of the keys that seal kept bytes, followed by a month."""
_LETTERS = UUID("6f0c1d3e-0b5e-5c35-9d5e-dead1e77e125")


def dead_letter_subject(at: int) -> str:
    """The key under which dead letters of this month are sealed."""
    return f"{DEAD_LETTERS}{instant(at):%Y-%m}"


def kept_letter(arrival: Arrival, owner: str, wrong: HubError, now: int, vault: Vault) -> tuple[DeadLetterRow, bool]:
    """What is kept of an arrival that cannot be used, for tenant `owner` (empty: nobody's); whether there was card data in it."""
    body, found = scrub_bytes(arrival.body[: 4 * MAX_BODY])
    attributes = {name: scrub(value[:500])[0] for name, value in list(arrival.attributes.items())[:50]}
    about = msgspec.json.encode({**attributes, "datacontenttype": arrival.content_type}).decode()
    row = DeadLetterRow(
        id=str(uuid5(_LETTERS, f"{arrival.door}\x1f{now}\x1f{about}\x1f{vault.fingerprint(arrival.body).hex()}")),
        at=now,
        tenant=owner,
        kind="",
        key="",
        why="undecodable",
        code=wrong.code,
        field=_shown(wrong.field),
        value=_shown(wrong.value),
        reason=_shown(wrong.message[:2000]),
        door=_shown(arrival.door),
        attributes=about,
        bytes_=vault.seal_bytes(owner, dead_letter_subject(now), body),
        message=None,
        name="",
        received_at=now,
    )
    return row, found


def _shown(text: str) -> str:
    """What a stranger said, without NUL, which no text of PostgreSQL holds; the bytes that were kept have it."""
    return text.replace("\x00", "\ufffd")


def told(letter: DeadLetterRow, input_id: str, lanes: int) -> InternalRow:
    """The message that tells the tenant of what a door could not use."""
    body = DeadLetterKept(
        dead_letter=letter.id, reason=letter.reason, code=letter.code, field=letter.field, value=letter.value, input=input_id
    )
    key = Key(letter.tenant, "tenant", letter.tenant)
    return InternalRow(
        lane=lane_of(key, lanes),
        message=UUID(letter.id).bytes,
        tenant=letter.tenant,
        source="foliohub",
        id=letter.id,
        name="dead_letter.kept",
        kind=key.kind,
        key=key.key,
        act=letter.at,
        received_at=letter.at,
        correlation="",
        traceparent="",
        cause=0,
        body=registry.encode(body),
    )
