"""The door behind all doors: an arrival is scrubbed, decoded, sealed, addressed and stored, durably, before anybody is told.

What cannot be used is kept with the reason. Callers at the same time share one commit.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog
from prometheus_client import Counter

from engine.address import BY_SUBJECT, approval_key, key_of, lane_of, nobody
from engine.clock import Clock, micros
from engine.letters import kept_letter, told
from engine.luck import Luck, drawn, with_number
from engine.opening import open_envelope, scrubbed, without_cards
from engine.settled import Settled
from engine.store.contract import Contended, LaneStore
from engine.store.rows import Arrived, DeadLetterRow, Key
from engine.transport.contract import Arrival, Receipt, Taken
from engine.vault import Plain, Vault
from engine.watching import Door, Watch
from schemas import registry
from schemas.envelope import Envelope, message_bytes, name_of, uuid_text
from schemas.errors import HubError, Undecodable
from schemas.personal import personal_fields, personal_texts, with_texts

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_HOUR_US = 3_600_000_000
_RECENT = 50_000  # identities kept in memory until the store is sure to know them

log = structlog.get_logger(__name__)
arrived = Counter("foliohub_arrivals_total", "Messages at the doors", ("taken",))


class Directory(Protocol):
    """What the store knows about subjects and identities, for the doors."""

    def owner_of(self, subject: str) -> Key | None:
        """The key of an effect, a notice or a dead letter."""

    def known(self, messages: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Fingerprints of messages that were accepted before, decided or still waiting."""

    def bound(self, names: Sequence[Key]) -> Mapping[Key, Key]:
        """The folios that these names are bound to; one without is absent."""


class _Ticket:
    __slots__ = ("arrivals", "at", "began_ns", "failure", "receipts", "wrong")

    def __init__(self, arrivals: Sequence[Arrival], wrong: tuple[str, HubError] | None = None, at: int | None = None) -> None:
        self.arrivals, self.at, self.began_ns = arrivals, at, time.time_ns()
        self.wrong = wrong
        self.receipts: list[Receipt] | None = None
        self.failure: BaseException | None = None


@dataclass(slots=True)
class _Opened:
    """An arrival as far as it could be read: a row or a letter. `private`: a message whose body is still to be sealed into the row."""

    id: str
    row: Arrived | None = None
    letter: DeadLetterRow | None = None
    private: Any = None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    span: Span | None = None
    causation: str = ""


class DurableIntake:
    """`engine.transport.contract.Intake` on a store. `on_append` is told after each commit."""

    def __init__(
        self,
        store: LaneStore,
        directory: Directory,
        vault: Vault,
        settled: Callable[[], Settled],
        clock: Clock,
        on_append: Callable[[], None] = lambda: None,
        watch: Watch | None = None,
        luck: Luck = drawn,
    ) -> None:
        self._store, self._directory, self._vault = store, directory, vault
        self._settled, self._clock, self._on_append = settled, clock, on_append
        self._watch = watch or Watch(store.lanes)
        self._luck = luck
        self._lock = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._recent: OrderedDict[bytes, bytes] = OrderedDict()
        self._stamping: int | None = None

    def append(self, arrivals: Sequence[Arrival]) -> Sequence[Receipt]:
        """One durable commit for these and for whatever others bring at the same time. Raises StoreAway."""
        return self._through(_Ticket(arrivals))

    def keep(self, arrival: Arrival, tenant: str, wrong: HubError, at: int | None = None) -> Receipt:
        """Bytes that a door of `tenant` could not read are kept as a dead letter with that reason; `at`: when they came, if they are
        to be the same letter when they are read again. Raises StoreAway."""
        return self._through(_Ticket((arrival,), (tenant, wrong), at))[0]

    def _through(self, ticket: _Ticket) -> Sequence[Receipt]:
        self._queue.append(ticket)
        with self._lock:
            if ticket.receipts is None and ticket.failure is None:
                self._commit()
        if ticket.failure is not None:
            raise ticket.failure
        assert ticket.receipts is not None
        return ticket.receipts

    def _commit(self) -> None:
        tickets = [self._queue.popleft() for _ in range(len(self._queue))]
        self._stamping = self._clock.now()
        now = (
            self._clock.now()
        )  # read again: whoever asked for the horizon before it was set was told of an instant that has passed
        try:
            try:
                opened, rows, known = self._stored(tickets, now)
            except Contended:  # another door has made a key for the same person: with that one
                opened, rows, known = self._stored(tickets, now)
            receipts = deque(_receipt(one, known) for one in opened)
            for taken, number in Tally(receipt.taken for receipt in receipts).items():
                arrived.labels(taken.value).inc(number)
            if self._watch.each:
                self._watch.taken([Door(one.row, one.letter, one.span, one.causation) for one in opened], receipts)
            for ticket in tickets:
                ticket.receipts = [receipts.popleft() for _ in ticket.arrivals]
            self._remember(rows)
        except BaseException as failure:
            for ticket in tickets:
                ticket.failure = failure
            return
        finally:
            self._stamping = None
        self._on_append()

    def _stored(self, tickets: Sequence[_Ticket], now: int) -> tuple[list[_Opened], list[Arrived], dict[bytes, bytes]]:
        """Everything that these brought, and what was known of it before."""
        try:
            opened = [
                self._open(arrival, now if ticket.at is None else ticket.at, ticket.wrong)
                for ticket in tickets
                for arrival in ticket.arrivals
            ]
            self._seal(opened)
            self._to_their_folios(opened)
            self._begin_spans(tickets, opened)
            rows = [one.row for one in opened if one.row is not None]
            known = self._known(rows)
            letters = [one.letter for one in opened if one.letter is not None]
            news = [told(one.letter, one.id, self._store.lanes) for one in opened if one.letter and one.letter.tenant]
            since_ns = time.time_ns()
            self._store.append(rows, letters, self._vault.fresh, news)
            self._watch.appended([one.span for one in opened if one.span is not None], since_ns)
        except BaseException:
            self._vault.drop_fresh()
            raise
        self._vault.fresh.clear()
        return opened, rows, known

    def _begin_spans(self, tickets: Sequence[_Ticket], opened: Sequence[_Opened]) -> None:
        """Where spans are wanted, whatever a message leads to is its door's."""
        tracer = self._watch.tracer
        if tracer is None:
            return
        began = (ticket.began_ns for ticket in tickets for _ in ticket.arrivals)
        for one, began_ns in zip(opened, began, strict=True):
            if one.row is not None:
                one.span, traceparent = tracer.door(one.row, began_ns)
                one.row = one.row._replace(traceparent=traceparent)
            elif one.letter is not None:
                one.span = tracer.refused(one.letter, began_ns)

    def horizon(self, now: int) -> int:
        """Up to which instant every message has been stored: what is on its way in may be stamped earlier than `now`."""
        stamping = self._stamping
        return now if stamping is None else min(now, stamping)

    def _known(self, rows: Sequence[Arrived]) -> dict[bytes, bytes]:
        """Fingerprints of those that came before, decided or still waiting."""
        if not rows:
            return {}
        recent = {row.message: self._recent[row.message] for row in rows if row.message in self._recent}
        return {**recent, **self._directory.known([row.message for row in rows])}

    def _remember(self, rows: Sequence[Arrived]) -> None:
        for row in rows:
            self._recent.setdefault(row.message, row.fingerprint)
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    # -- one arrival -----------------------------------------------------------------------------------------------------------

    def _open(self, arrival: Arrival, now: int, refused: tuple[str, HubError] | None) -> _Opened:
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

    def _dead(self, arrival: Arrival, now: int, tenant: str, id_: str, wrong: HubError, paths: tuple[str, ...]) -> _Opened:
        letter, found = kept_letter(arrival, self._owner(arrival, tenant), wrong, now, self._vault)
        log.warning(
            "dead_lettered", door=arrival.door, code=wrong.code, field=wrong.field, reason=wrong.message, dead_letter=letter.id, id=id_,
            tenant=letter.tenant, correlation=_worn(arrival, "correlationid"), causation=_worn(arrival, "causationid"),
        )  # fmt: skip
        return _Opened(id_, letter=letter, reason=wrong.message, warnings=_warned(paths, kept=found))

    def _read(self, arrival: Arrival, now: int, envelope: Envelope, data: bytes, paths: tuple[str, ...]) -> _Opened:
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
            lane_of(key, self._store.lanes),
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
        return _Opened(envelope.id, row, None, private, "", _warned(paths), causation=envelope.causationid)

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

    def _seal(self, opened: Sequence[_Opened]) -> None:
        """The canonical bodies, with every personal field under its subject's key (X-11)."""
        private = [(one, one.row, personal_texts(one.private)) for one in opened if one.row is not None and one.private is not None]
        texts = [Plain(row.tenant, person or nobody(row.key), text) for _, row, found in private for person, text in found]
        sealed = iter(self._vault.seal_all(texts))
        for one, row, _ in private:
            one.row = row._replace(body=registry.encode(with_texts(one.private, sealed)))

    def _to_their_folios(self, opened: Sequence[_Opened]) -> None:
        """What comes under another name of a folio goes to the folio's own lane as soon as the name is bound: so it keeps its order with
        what comes under the folio's, and one worker has all of it. Whoever decides it asks again whose name it is."""
        named = {
            Key(one.row.tenant, one.row.kind, one.row.key) for one in opened if one.row is not None and one.row.kind == "reference"
        }
        if not named or self._store.lanes == 1:
            return
        folios = self._directory.bound(sorted(named))
        for one in opened:
            if one.row is not None and (folio := folios.get(Key(one.row.tenant, one.row.kind, one.row.key))) is not None:
                one.row = one.row._replace(lane=lane_of(folio, self._store.lanes))

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


def _receipt(one: _Opened, known: dict[bytes, bytes]) -> Receipt:
    if one.letter is not None:
        letter = one.letter
        return Receipt(
            taken=Taken.DEAD, id=one.id, reason=one.reason, warnings=one.warnings,
            code=letter.code, field=letter.field, value=letter.value, dead_letter=letter.id,
        )  # fmt: skip
    assert one.row is not None
    message, fingerprint = one.row.message, one.row.fingerprint
    first = known.get(message)
    if first is None:
        known[message] = fingerprint
    elif first != fingerprint:
        return Receipt(
            taken=Taken.CONFLICT, id=one.id, message=uuid_text(message), warnings=one.warnings,
            reason=f"message {one.id!r} came before with another body", code="duplicate_identity", field="id", value=one.id,
        )  # fmt: skip
    taken = Taken.ACCEPTED if first is None else Taken.DUPLICATE
    return Receipt(taken=taken, id=one.id, message=uuid_text(message), warnings=one.warnings)
