"""POST /channels/{channel}/ota: OTA documents in, OTA answers out, each reservation a message of its own.

A sender that comes again gets the stored first answer; one whose answer is late gets an error that tells it to come again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import structlog
from litestar import Request, Response, post
from litestar.params import FromPath

from connectors.channels.ota.answer import Answer, answer, refuse, unauthenticated
from connectors.channels.ota.codec import decode
from connectors.channels.ota.document import Declined, Decoded, Head, open_message
from connectors.channels.ota.xml import MAX_BYTES, bad
from console.gateway import described
from console.gateway.bodies import TooLarge, read_body
from console.gateway.callers import key_text, refused
from console.gateway.desk import Desk
from console.gateway.messages import desk_of
from engine.clock import instant
from engine.keys import CHANNEL
from engine.opening import scrubbed
from engine.store.rows import OutboxRow
from engine.transport.contract import Arrival, Taken
from schemas import registry
from schemas.envelope import type_of
from schemas.errors import HubError, Rejected, Retryable, Undecodable
from schemas.policy import ChannelProfile

log = structlog.get_logger(__name__)
_BESIDE: Final = frozenset({"guarantee.scrubbed"})
"""Told beside a decision, whatever it was."""
_CARDS: Final = frozenset({"guarantee_scrubbed", "card_removed"})


class _Opened(NamedTuple):
    """A document as far as it could be read: `head` None if it is no OTA document."""

    head: Head | None
    decoded: Decoded | None = None
    problem: HubError | None = None


@post(
    "/channels/{channel:str}/ota", status_code=200, operation_class=described.Xml, tags=["channels"],
    summary="Bring an OTA document", media_type="text/xml",
    description="OTA_HotelResNotifRQ, OTA_HotelResModifyNotifRQ, OTA_CancelRQ and their kin, answered within the channel's `answer_s`.",
)  # fmt: skip
async def post_ota(request: Request[Any, Any, Any], channel: FromPath[str]) -> Response[bytes]:
    """The key comes as Bearer, X-Api-Key, HTTP Basic password, WSSE password, or POS password."""
    desk = desk_of(request)
    now = instant(desk.hub.clock.now())
    profile = desk.hub.configuration.channels.get(channel)
    if profile is None:
        told = refuse(None, Rejected("no such channel", code="message_unknown"), now)
        return _response(dataclasses.replace(told, status=HTTPStatus.NOT_FOUND))
    until = time.monotonic() + profile.answer_s
    try:
        body = await read_body(request, min(desk.hub.configuration.http.max_body_bytes, MAX_BYTES))
    except TooLarge as large:
        told = refuse(None, bad("body_too_large", "body", "", large.message), now)
        return _response(dataclasses.replace(told, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
    opened = await desk.run(_opened, profile, body)
    if not await desk.run(_may, desk, profile, key_text(request, basic=True), opened.head):
        refused.labels("channel").inc()
        return _response(unauthenticated(opened.head, now))
    opened = await desk.run(_read, desk, profile, opened, now)
    try:
        return _response(await _answered(desk, profile, opened, body, until, now))
    except Retryable as away:
        log.warning("channel_not_served", channel=channel, code=away.code, reason=away.message)
        return _response(refuse(opened.head, away, now))


def _opened(profile: ChannelProfile, body: bytes) -> _Opened:
    """Only as far as a key may stand in it: nothing more is done for who has none."""
    try:
        return _Opened(open_message(body, profile))
    except (Undecodable, Rejected) as problem:
        return _Opened(None, None, problem)


def _read(desk: Desk, profile: ChannelProfile, opened: _Opened, now: datetime) -> _Opened:
    if opened.head is None:
        return opened
    key = desk.hub.vault.fingerprint(f"ota\x1f{profile.tenant}".encode())
    try:
        return opened._replace(decoded=decode(opened.head, profile, key=key, received_at=now))
    except (Undecodable, Rejected) as problem:
        return opened._replace(problem=problem)


def _may(desk: Desk, profile: ChannelProfile, text: str, head: Head | None) -> bool:
    """Whether the sender's key is this channel's; of a WSSE digest nothing can be told, since no key is stored."""
    if not text and head is not None and head.credentials is not None and head.credentials.kind == "text":
        text = head.credentials.password
    key = desk.keys.check(text.strip()) if text else None
    return key is not None and key.tenant == profile.tenant and key.may(f"{CHANNEL}{profile.channel}")


async def _answered(desk: Desk, profile: ChannelProfile, opened: _Opened, body: bytes, until: float, now: datetime) -> Answer:
    door = f"channel:{profile.channel}"
    tenants = frozenset({profile.tenant})
    decoded = opened.decoded
    wrong = opened.problem if decoded is None else next((one.problem for one in decoded.declined), None)
    if wrong is not None:
        letter = Arrival(door=door, body=body, content_type="text/xml", tenants=tenants)
        await desk.run(desk.hub.intake.keep, letter, profile.tenant, wrong)
    if decoded is None:
        return refuse(opened.head, opened.problem or Undecodable("not read"), now)
    arrivals = [_arrival(profile, door, tenants, item) for item in decoded.items]
    try:
        receipts = await asyncio.wait_for(desk.append(arrivals), until - time.monotonic())
    except TimeoutError:
        raise Retryable("not taken in time: send it again", code="retryable") from None
    scrubbed.inc(sum(any(warned.code in _CARDS for warned in item.warnings) for item in decoded.items))
    taken, declined = [], list(decoded.declined)
    for item, receipt in zip(decoded.items, receipts, strict=True):
        if receipt.taken in (Taken.CONFLICT, Taken.DEAD):
            problem = Undecodable(receipt.reason, code=receipt.code, field=receipt.field, value=receipt.value)
            declined.append(Declined(item.reference, problem))
        else:
            taken.append((item, receipt))
    if not taken:
        return refuse(decoded.head, declined[0].problem, now)
    answers = [await desk.outcomes(receipt.message, until - time.monotonic()) for _, receipt in taken]
    if any(rows is None for rows in answers):
        raise Retryable("not decided in time: send it again and get its answer", code="retryable")
    known = [rows or () for rows in answers]
    silent = {n: receipt.message for n, (_, receipt) in enumerate(taken) if all(row.name in _BESIDE for row in known[n])}
    stale = await desk.run(_stale, desk, silent) if silent else {}
    told = msgspec.structs.replace(decoded, items=tuple(item for item, _ in taken), declined=tuple(declined))
    said = {n: msgspec.json.decode(fate["record"])["reason"] for n, fate in stale.items()}
    return answer(
        told, [_facts(rows) for rows in known], _at(known, [fate["decided_at"] for fate in stale.values()], now), stale=said
    )


def _stale(desk: Desk, messages: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """By place, the decision about each message that was judged to be older than what is known (X-2): it has no outcome."""
    fates = ((n, desk.hub.reading.fates(UUID(message).bytes)) for n, message in messages.items())
    return {n: found[-1] for n, found in fates if found and found[-1]["result"] == "stale"}


def _arrival(profile: ChannelProfile, door: str, tenants: frozenset[str], item: Any) -> Arrival:
    attributes = {
        "specversion": "1.0",
        "id": item.id,
        "source": profile.source or f"{profile.dialect}.{profile.channel}",
        "type": type_of(item.name),
        "tenant": profile.tenant,
    }
    return Arrival(door=door, body=registry.encode(item.message), attributes=attributes, tenants=tenants)


def _facts(rows: Sequence[OutboxRow]) -> list[tuple[str, dict[str, Any]]]:
    return [(row.name, msgspec.json.decode(row.body)) for row in rows]


def _at(answers: Sequence[Sequence[OutboxRow]], stale: Sequence[int], now: datetime) -> datetime:
    """The instant of the first answer, so that a repeated one is the same to the byte. `stale`: when such were decided."""
    decided = [*(row.at for rows in answers for row in rows), *stale]
    return instant(max(decided)) if decided else now


def _response(told: Answer) -> Response[bytes]:
    return Response(told.body, status_code=told.status, headers={"content-type": told.content_type})
