"""The door behind all doors: an arrival is read (`engine.arriving`), sealed and stored, durably, before anybody is told.

What cannot be used is kept with the reason. Callers at the same time share one commit.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from prometheus_client import Counter

from engine.address import lane_of, nobody
from engine.arriving import Directory, Opened, Reader
from engine.clock import Clock
from engine.letters import told
from engine.luck import Luck, drawn
from engine.settled import Settled
from engine.store.contract import Contended, LaneStore
from engine.store.rows import Arrived, Key
from engine.transport.contract import Arrival, Receipt, Taken
from engine.vault import Plain, Vault
from engine.watching import Door, Watch
from schemas import registry
from schemas.envelope import uuid_text
from schemas.errors import HubError
from schemas.personal import personal_texts, with_texts

_RECENT = 50_000  # identities kept in memory until the store is sure to know them

arrived = Counter("foliohub_arrivals_total", "Messages at the doors", ("taken",))


class _Ticket:
    __slots__ = ("arrivals", "at", "began_ns", "failure", "receipts", "wrong")

    def __init__(self, arrivals: Sequence[Arrival], wrong: tuple[str, HubError] | None = None, at: int | None = None) -> None:
        self.arrivals, self.at, self.began_ns = arrivals, at, time.time_ns()
        self.wrong = wrong
        self.receipts: list[Receipt] | None = None
        self.failure: BaseException | None = None


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
        self._clock, self._on_append = clock, on_append
        self._watch = watch or Watch(store.lanes)
        self._reader = Reader(store.lanes, directory, vault, settled, luck)
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

    def _stored(self, tickets: Sequence[_Ticket], now: int) -> tuple[list[Opened], list[Arrived], dict[bytes, bytes]]:
        """Everything that these brought, and what was known of it before."""
        try:
            opened = [
                self._reader.open(arrival, now if ticket.at is None else ticket.at, ticket.wrong)
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

    def _begin_spans(self, tickets: Sequence[_Ticket], opened: Sequence[Opened]) -> None:
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

    def _seal(self, opened: Sequence[Opened]) -> None:
        """The canonical bodies, with every personal field under its subject's key (X-11)."""
        private = [(one, one.row, personal_texts(one.private)) for one in opened if one.row is not None and one.private is not None]
        texts = [Plain(row.tenant, person or nobody(row.key), text) for _, row, found in private for person, text in found]
        sealed = iter(self._vault.seal_all(texts))
        for one, row, _ in private:
            one.row = row._replace(body=registry.encode(with_texts(one.private, sealed)))

    def _to_their_folios(self, opened: Sequence[Opened]) -> None:
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


def _receipt(one: Opened, known: dict[bytes, bytes]) -> Receipt:
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
