"""Sends notices, each once as far as SMTP allows: the mark is durable, then one mail, then what the server said.

SMTP has no idempotency key, and nobody can be asked whether a mail is there. Until the last dot was written nobody has it, and it is
sent again, later each time. After a silence from then on the table of kinds says whether it is sent once more (`handlers.notice_table`).
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any
from uuid import uuid5

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from connectors.mail.codec import Party, address
from connectors.mail.codes import Delivery, Result
from engine.clock import Clock, instant
from engine.effect_messages import NEWS
from engine.notice_rows import Contact, Reached
from engine.store.contract import Fenced, StoreAway
from engine.store.notices import Notice, NoticeStore
from engine.store.rows import InternalRow
from engine.vault import Vault
from handlers.notice_number import numbered, whole
from handlers.notice_table import BY_KIND, Again
from schemas import registry
from schemas.errors import HubError
from schemas.folio import Folio
from schemas.notice import Audience, Language, NoticeCarried, NoticeKind, NoticeState

if TYPE_CHECKING:
    from engine.post import Post

SECOND_US = 1_000_000
_SPARE_S = 60.0  # that a lease is longer than a mail may take
_DOUBTS = 1  # so many silences are answered with the same mail once more

_FOLIO = msgspec.json.Decoder(Folio)

log = structlog.get_logger(__name__)
mails = Counter("foliohub_notices_total", "Mails handed in, or not, by kind and result", ("kind", "result"))
waiting = Gauge("foliohub_notices_waiting", "Notices that are to be sent")


class NoticeRunner:
    """By any number of threads, of any number of processes: the store says whose a notice is."""

    def __init__(self, store: NoticeStore, post: Post, vault: Vault, clock: Clock) -> None:
        self._store, self._post, self._vault, self._clock = store, post, vault, clock
        self.connections = post.mail.connections

    def next_due(self) -> int | None:
        """When the next one may be sent, microseconds."""
        return self._store.next_due()

    def count(self) -> None:
        """Look how many wait, for who watches."""
        waiting.set(self._store.waiting())

    def carry(self) -> bool:
        """Take one that is due as far as it goes now, by this thread alone; False when none is. Raises StoreAway."""
        taken = self.take()
        if taken is not None and taken.state == NoticeState.SENDING:
            self.settle(taken, self.hand_in(taken))
        return taken is not None

    def take(self) -> Notice | None:
        """One that is ours to send, durably marked (`sending`), or one that was in doubt and is not any more; None: there is neither.
        Raises StoreAway."""
        now = self._clock.now()
        with self._store.transaction() as transaction:
            due = transaction.due(now, 1)
            if not due:
                return None
            (notice,) = due
            if notice.state == NoticeState.SENDING:  # the sender died or fell silent: it may have been after the last dot
                after = self._doubted(notice, "the sender died or fell silent", now)
            else:
                lease = now + int((self._post.mail.deadline_s + _SPARE_S) * SECOND_US)
                after = notice._replace(
                    state=NoticeState.SENDING, next_at=lease, tries=notice.tries + 1, fence=notice.fence + 1, sent_at=now
                )  # fmt: skip
            transaction.write(notice, after, _told(after, now))
        return after

    def hand_in(self, notice: Notice) -> Delivery:
        """One mail. What is wrong with the notice itself, or with where it is to go, is a refusal, and nothing is sent. Never raises for
        what is in a notice: one that nobody can write stops no other."""
        try:
            to = self._recipient(notice)
            variables = self._said(notice)
            written = self._post.written(
                notice.id, notice.folio, NoticeKind(notice.kind), Language(notice.language), notice.property, variables, to,
                instant(self._clock.now()),
            )  # fmt: skip
            recipient = address(to.address)
        except StoreAway:
            return Delivery(Result.NOT_SENT, "store_away")
        except HubError as wrong:
            return Delivery(Result.REFUSED, wrong.code, f"{wrong.field} {wrong.value}".strip())
        except Exception as defect:
            where = traceback.extract_tb(defect.__traceback__)[-1]  # and nothing of what was in its hands: it may be about a person
            log.error("notice_defect", notice=notice.id, kind=notice.kind, folio=notice.folio, error=type(defect).__name__,
                      where=f"{where.name}:{where.lineno}")  # fmt: skip
            return Delivery(Result.REFUSED, "defect", type(defect).__name__)
        if self._clock.now() >= notice.next_at:
            return Delivery(Result.NOT_SENT, "lapsed")  # the mark was durable, then this thread slept: others have it in doubt
        return self._post.hand_in(notice.property, recipient, written)

    def _said(self, notice: Notice) -> dict[str, Any]:
        """What the mail says; a voucher's number is found now, in its folio (`handlers.notice_number`)."""
        variables: dict[str, Any] = msgspec.json.decode(notice.body)
        if not numbered(variables):
            return variables
        state = self._store.folio(notice.tenant, notice.folio)
        return whole(variables, None if state is None else _FOLIO.decode(state))

    def _recipient(self, notice: Notice) -> Party:
        """Found now, and opened now (X-11). Raises HubError `no_address`, or `person_forgotten` when the key was destroyed."""
        if notice.audience == Audience.MERCHANT:
            return self._post.merchant(notice.property)
        sealed = self._store.contact(notice.tenant, notice.folio)
        contact = Contact() if sealed is None else msgspec.json.decode(sealed.body, type=Contact)
        reached = next((one for one in (contact.guest, contact.payer) if one is not None and one.email), None)
        if sealed is None or reached is None:
            raise HubError("the booking says no address of its guest", code="no_address", field="email")
        return Party(
            self._opened(notice, reached, reached.email, sealed.subject),
            self._opened(notice, reached, reached.name, sealed.subject),
        )

    def _opened(self, notice: Notice, reached: Reached, text: str, subject: str) -> str:
        whose = reached.person or subject
        self._vault.forget(notice.tenant, whose)  # what is in memory may have been destroyed by another process since
        opened = self._vault.open(notice.tenant, whose, text) if text else ""
        if opened is None:
            raise HubError("the guest was forgotten", code="person_forgotten", field="email")
        return opened

    def settle(self, notice: Notice, delivery: Delivery) -> None:
        """Store what came of one, and tell its folio. Raises StoreAway: nothing is stored, and it is to be said again."""
        now = self._clock.now()
        after = self._after(notice, delivery, now)
        said = {"notice": notice.id, "kind": notice.kind, "folio": notice.folio, "tenant": notice.tenant}
        try:
            with self._store.transaction() as transaction:
                transaction.write(notice, after, _told(after, now))
        except Fenced:  # the lease was over and somebody else has it in doubt: what the server said comes too late
            log.warning("notice_late", **said, result=delivery.result.value, code=delivery.code)
            return
        mails.labels(notice.kind, delivery.result.value).inc()
        tell = log.info if after.state == NoticeState.SENT else log.warning
        tell("notice", **said, state=after.state, code=delivery.code, reason=delivery.reason, tries=after.tries)

    def _after(self, notice: Notice, delivery: Delivery, now: int) -> Notice:
        """Where it stands after what the server said, or did not say."""
        said = notice._replace(code=delivery.code, reason=delivery.reason, next_at=now)
        match delivery.result:
            case Result.SENT:
                return said._replace(state=NoticeState.SENT, sent_at=now, code="")
            case Result.REFUSED:
                return said._replace(state=NoticeState.FAILED)
            case Result.UNKNOWN:
                return self._doubted(notice, delivery.reason, now)
        mail = self._post.mail
        if now - notice.created_at >= mail.give_up_hours * 3600 * SECOND_US:
            return said._replace(state=NoticeState.FAILED, code="gave_up", reason=f"{delivery.code} {delivery.reason}".strip())
        return said._replace(state=NoticeState.PLANNED, next_at=now + self._distance(notice))

    def _doubted(self, notice: Notice, reason: str, now: int) -> Notice:
        """After a silence: once more where the kind allows it, and only once; else it is unknown for good."""
        doubted = notice._replace(code="unknown", reason=reason, doubts=notice.doubts + 1, fence=notice.fence + 1)
        if BY_KIND[NoticeKind(notice.kind)].again is Again.ONCE_MORE and notice.doubts < _DOUBTS:
            return doubted._replace(state=NoticeState.PLANNED, next_at=now + self._distance(notice))
        return doubted._replace(state=NoticeState.UNKNOWN, next_at=now)

    def _distance(self, notice: Notice) -> int:
        distances = self._post.mail.retry_after_s
        return int(distances[min(max(notice.tries, 1), len(distances)) - 1] * SECOND_US)


def _told(notice: Notice, now: int) -> list[InternalRow]:
    """What the folio is told: nothing while it may still be sent."""
    if notice.state in (NoticeState.PLANNED, NoticeState.SENDING):
        return []
    body = NoticeCarried(notice=notice.id, state=NoticeState(notice.state), code=notice.code, reason=notice.reason, at=instant(now))
    message = uuid5(NEWS, f"notice.carried:{notice.id}:{notice.state}:{notice.fence}")
    return [
        InternalRow(
            notice.lane, message.bytes, notice.tenant, "foliohub", str(message), "notice.carried", "folio", notice.folio, now, now,
            notice.correlation, notice.traceparent, 0, registry.encode(body),
        )
    ]  # fmt: skip
