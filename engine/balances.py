"""Balance requests as people look after them: by queue, and as one booking has them (S1-12). Writes nothing.

Amounts are minor units of `currency`, days are local days of the property. A card's token is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from engine.clock import instant
from engine.pages import Page, page_of, place_of
from engine.settled import Settled, tenant_of
from engine.store import listing
from engine.store.listed import ListKind, Mark
from engine.store.reading import Reading
from engine.store.rows import Key
from handlers.balance_record import LIVE
from handlers.balance_timers import keeping_back
from handlers.frozen import zone_of
from schemas.balance_request import BalanceAttempt, BalanceRequest, BalanceStatus
from schemas.folio import Folio
from schemas.property_settings import PropertySettings, Suspension

_FOLIO: Final = msgspec.json.Decoder(Folio)
_PROPERTY: Final = msgspec.json.Decoder(PropertySettings)
_MARKED: Final = (
    ("", False, False),
    (Mark.OVERDUE.value, True, False),
    (Mark.SUSPENDED.value, False, True),
    (f"{Mark.OVERDUE.value} {Mark.SUSPENDED.value}", True, True),
)
"""The marks that a request may have, whether it is overdue with them, and whether a suspension was said of it."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How the guest chose to pay, and what came of it (S1-27)."""

    number: int
    method: str
    amount: int
    at: datetime
    initiation: str
    state: str
    reason: str
    payment: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `suspended`: its suspension, or one of its property or of a type in the booking, has not ended yet; `suspended_until`:
    when the last of them ends (S1-36); `due_on_site`: no mail goes, the guest pays at the property; `fixed`: an operator set the amount;
    `link`: the live one, 0 if none; `reason`: why it was cancelled."""

    tenant: str
    folio: str
    property: str
    request: str
    queue: str
    amount: int
    currency: str
    deadline: date
    send_on: date
    suspended_until: date | None
    suspended: bool
    overdue_since: date | None
    due_on_site: bool
    fixed: bool
    clamped: bool
    accommodation: str
    sent_at: datetime | None
    link: int
    notices: int
    attempts: tuple[Tried, ...]
    reason: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests: of one queue (None: those that are live), overdue ones or others, suspended ones or others, of one property."""

    queue: BalanceStatus | None = None
    overdue: bool | None = None
    suspended: bool | None = None
    property: str = ""

    def queues(self) -> Sequence[str]:
        """S1-12: the queues that are looked through."""
        return [self.queue.value] if self.queue is not None else sorted(status.value for status in LIVE)

    def marked(self, unsaid: bool) -> Sequence[str]:
        """The marks of those that may be meant: a suspension that was said may have ended, which its day tells. `unsaid`: of a request
        that its property keeps back nothing may have been said yet."""
        every = self.suspended is not True or unsaid
        return [marks for marks, overdue, said in _MARKED if self.overdue in (None, overdue) and (every or said)]


def page(reading: Reading, settled: Settled, now: int, tenant: str, wanted: Wanted, *, after: str = "", limit: int) -> Page[Asked]:
    """S1-12: the requests of a tenant, the earliest deadline first. `now`: microseconds. Raises BadAfter."""
    with reading.view():
        unsaid = wanted.suspended is True and _any_kept_back(reading, settled, tenant, wanted.property)
        places = listing.page(
            reading, tenant, ListKind.BALANCE, queues=wanted.queues(), marked=wanted.marked(unsaid), property_=wanted.property,
            after=place_of(after, ListKind.BALANCE), limit=limit,
        )  # fmt: skip
        bodies = listing.bodies(reading, {Key(tenant, "folio", place.folio) for place in places})
        folios = {key.key: _FOLIO.decode(body) for key, body in bodies.items()}
        kept_back = suspensions_of(reading, tenant, {folio.property for folio in folios.values()})
    entries = [
        asked(folio, request_of(folio, place.item), settled, now, kept_back.get(folio.property, ()))
        for place in places
        for folio in (folios[place.folio],)
    ]
    return page_of(places, [one for one in entries if wanted.suspended in (None, one.suspended)], limit)


def suspensions_of(reading: Reading, tenant: str, properties: Iterable[str]) -> Mapping[str, tuple[Suspension, ...]]:
    """S1-36: what operators have said of these properties, by property."""
    bodies = listing.bodies(reading, [Key(tenant, "property", one) for one in properties])
    return {key.key: _PROPERTY.decode(body).suspensions for key, body in bodies.items()}


def _any_kept_back(reading: Reading, settled: Settled, tenant: str, property_: str) -> bool:
    """Whether anything was said of that property; without one, of any of the tenant's."""
    own = [one.property for one in settled.policies.properties.values() if one.tenant == tenant]
    return any(suspensions_of(reading, tenant, [property_] if property_ else own).values())


def request_of(folio: Folio, request: str) -> BalanceRequest:
    """A booking's request of that id, which is there."""
    return next(known for known in folio.balance_requests if known.request == request)


def asked(folio: Folio, request: BalanceRequest, settled: Settled, now: int, suspensions: Iterable[Suspension]) -> Asked:
    """One request of a booking, as it is at instant `now`; `suspensions`: those of its property."""
    today = _today(folio, settled, now)
    until, kept_back = request.suspended_until, keeping_back(folio, suspensions, today)
    if kept_back is not None and request.status in LIVE:
        until = max(until or today, kept_back.until)
    return Asked(
        tenant=folio.tenant,
        folio=folio.folio,
        property=folio.property,
        request=request.request,
        queue=request.status.value,
        amount=request.amount,
        currency=folio.currency,
        deadline=request.deadline,
        send_on=request.send_on,
        suspended_until=until,
        suspended=until is not None and until > today,
        overdue_since=request.overdue_since,
        due_on_site=request.due_on_site,
        fixed=request.fixed_to is not None,
        clamped=request.clamped,
        accommodation=request.accommodation,
        sent_at=request.sent_at,
        link=request.link,
        notices=request.notices,
        attempts=tuple([_tried(attempt) for attempt in request.attempts]),
        reason=request.reason,
    )


def _today(folio: Folio, settled: Settled, now: int) -> date:
    """The local day of its property; of a tenant that is configured no more, UTC's."""
    tenant = tenant_of(settled, folio.tenant)
    return instant(now).astimezone(zone_of(settled.policies.frozen_properties[folio.policy], tenant)).date()


def _tried(attempt: BalanceAttempt) -> Tried:
    return Tried(
        number=attempt.number,
        method=attempt.method.value,
        amount=attempt.amount,
        at=attempt.at,
        initiation=attempt.initiation.value,
        state=attempt.state.value,
        reason=attempt.reason,
        payment=attempt.payment,
    )
