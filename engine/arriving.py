"""What an arrival is: opened, rid of cards, decoded, judged by whom it may come from, and addressed; or a dead letter with the reason.

Nothing is sealed or stored here (`engine.intake`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from engine.address import BY_SUBJECT, approval_key, key_of, lane_of
from engine.clock import micros
from engine.letters import kept_letter
from engine.luck import Luck, with_number
from engine.opening import open_envelope, scrubbed, without_cards
from engine.settled import Settled
from engine.store.rows import Arrived, DeadLetterRow, Key
from engine.transport.contract import Arrival
from engine.vault import Vault
from schemas import registry
from schemas.envelope import Envelope, message_bytes, name_of
from schemas.errors import HubError, Undecodable
from schemas.personal import personal_fields

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_HOUR_US = 3_600_000_000

log = structlog.get_logger(__name__)


class Directory(Protocol):
    """What the store knows about subjects and identities, for the doors."""

    def owner_of(self, subject: str) -> Key | None:
        """The key of an effect, a notice or a dead letter."""

    def known(self, messages: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Fingerprints of messages that were accepted before, decided or still waiting."""

    def bound(self, names: Sequence[Key]) -> Mapping[Key, Key]:
        """The folios that these names are bound to; one without is absent."""


@dataclass(slots=True)
class Opened:
    """An arrival as far as it could be read: a row or a letter. `private`: a message whose body is still to be sealed into the row."""

    id: str
    row: Arrived | None = None
    letter: DeadLetterRow | None = None
    private: Any = None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    span: Span | None = None
    causation: str = ""


class Reader:
    """Reads arrivals one by one, for a store of so many lanes."""

    def __init__(self, lanes: int, directory: Directory, vault: Vault, settled: Callable[[], Settled], luck: Luck) -> None:
        self._lanes, self._directory, self._vault, self._settled, self._luck = lanes, directory, vault, settled, luck

    def open(self, arrival: Arrival, now: int, refused: tuple[str, HubError] | None) -> Opened:
        """An arrival at instant `now`; `refused`: its tenant, and why its door could not read it."""
        if refused is not None:
            return self._dead(arrival, now, refused[0], _worn(arrival, "id"), refused[1], ())
        paths: tuple[str, ...] = ()
        envelope: Envelope | None = None
        try:
            envelope, data, paths, clean = open_envelope(arrival)
            if not clean:
                data, inside = without_cards(data)
                paths += inside
            return self._read(arrival, now, envelope, data, paths)
        except Undecodable as wrong:
            if envelope is None:
                return self._dead(arrival, now, _worn(arrival, "tenant"), _worn(arrival, "id"), wrong, paths)
            return self._dead(arrival, now, envelope.tenant, envelope.id, wrong, paths)

    def _dead(self, arrival: Arrival, now: int, tenant: str, id_: str, wrong: HubError, paths: tuple[str, ...]) -> Opened:
        letter, found = kept_letter(arrival, self._owner(arrival, tenant), wrong, now, self._vault)
        log.warning(
            "dead_lettered", door=arrival.door, code=wrong.code, field=wrong.field, reason=wrong.message, dead_letter=letter.id, id=id_,
            tenant=letter.tenant, correlation=_worn(arrival, "correlationid"), causation=_worn(arrival, "causationid"),
        )  # fmt: skip
        return Opened(id_, letter=letter, reason=wrong.message, warnings=_warned(paths, kept=found))

    def _read(self, arrival: Arrival, now: int, envelope: Envelope, data: bytes, paths: tuple[str, ...]) -> Opened:
        """X-12: a message of a tenant that its door may speak for, and by nobody else's account. Raises Undecodable."""
        settled, tenant = self._settled(), envelope.tenant
        if tenant not in settled.tenants or (arrival.tenants and tenant not in arrival.tenants):
            raise Undecodable(f"tenant {tenant!r} is not known here", code="unknown_tenant", field="tenant", value=tenant)
        name = name_of(envelope.type)
        if name is None or name not in registry.IN:
            raise Undecodable(
                f"message type {envelope.type!r} is not one that the hub takes",
                code="unknown_type",
                field="type",
                value=envelope.type,
            )
        if name in registry.OPERATORS and not arrival.operator:
            raise Undecodable(
                f"{envelope.type} may not come by {arrival.door}", code="forbidden_type", field="type", value=envelope.type
            )
        message = registry.read_data(name, data)
        merchant = getattr(message, "merchant", "")
        if settled.merchants.get(merchant, tenant) != tenant:  # money never leaves by another tenant's account
            raise Undecodable(
                f"merchant {merchant!r} is not known to {tenant!r}", code="unknown_merchant", field="merchant", value=merchant
            )
        content = registry.encode(message)
        key = self._key(tenant, name, message)
        private = message if personal_fields(registry.IN[name]) else None
        id_ = message_bytes(tenant, envelope.source, envelope.id)
        fingerprint = self._vault.fingerprint(name.encode() + b"\x1f" + _said(message, content))
        numbered = with_number(name, message, id_, self._luck)  # after its fingerprint, which a repeat must have too
        if numbered is not message:
            content = registry.encode(numbered)
        row = Arrived(
            lane_of(key, self._lanes),
            id_,
            fingerprint,
            tenant,
            envelope.source,
            envelope.id,
            name,
            key.kind,
            key.key,
            now if message.requested_at is None else self._act(tenant, envelope.source, message.requested_at, now),
            now,
            envelope.correlationid,
            envelope.traceparent,
            arrival.door,
            msgspec.json.encode(paths).decode() if paths else "",
            content if private is None else b"",
        )
        return Opened(envelope.id, row, None, private, "", _warned(paths), causation=envelope.causationid)

    def _key(self, tenant: str, name: str, message: Any) -> Key:
        if name in BY_SUBJECT and not message.folio:
            if (waits := approval_key(tenant, name, message)) is not None:
                return waits
            owner = self._directory.owner_of(getattr(message, BY_SUBJECT[name]))
            return owner if owner is not None and owner.tenant == tenant and owner.key else Key(tenant, "tenant", tenant)
        return key_of(tenant, name, message)

    def _act(self, tenant: str, source: str, requested_at: datetime, now: int) -> int:
        """X-16: the sender's instant if its clock is trusted, not older than the tolerance and not in the future; else now."""
        settled = self._settled()
        profile = settled.sources.get(source)
        if profile is None or not profile.trust_time or profile.tenant != tenant:
            return now
        asked = micros(requested_at)
        return asked if now - settled.tenants[tenant].late_tolerance_hours * _HOUR_US <= asked <= now else now

    def _owner(self, arrival: Arrival, tenant: str) -> str:
        """Whose dead letter it is: the tenant named, if the door may speak for it; else the door's only tenant; else nobody's, as when
        the door's key outlived its tenant."""
        known = self._settled().tenants
        if tenant in known and (not arrival.tenants or tenant in arrival.tenants):
            return tenant
        return next((one for one in arrival.tenants if len(arrival.tenants) == 1 and one in known), "")


def _worn(arrival: Arrival, name: str) -> str:
    """An attribute of an arrival whose envelope could not be read."""
    return arrival.attributes.get(name, "")[:64]


def _warned(paths: tuple[str, ...], *, kept: bool = False) -> tuple[str, ...]:
    """What the sender is told of card data (X-10): where it stood, or only that it was in bytes that nobody could read."""
    if kept and not paths:
        scrubbed.inc()
        return ("card data removed from what was kept",)
    return tuple(f"card data removed at {path}" for path in paths) if paths else ()


def _said(message: Any, content: bytes) -> bytes:
    """A message without the time of its sending, which a retransmission renews."""
    return content if message.requested_at is None else registry.encode(msgspec.structs.replace(message, requested_at=None))
