"""What a decision may know and what it gives back. Nothing is read, sent or stored here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from ledger.transfer import Transfer
from schemas.common import Fact
from schemas.effect import EffectMove, EffectRequest, EffectState, PaymentQuery
from schemas.envelope import derived_id
from schemas.errors import Rejected
from schemas.folio import Area, Folio, State
from schemas.notice import NoticeRequest
from schemas.policy import PropertyPolicy, TenantPolicy, Terms
from schemas.property_settings import PropertySettings, Suspension
from schemas.voucher_book import Voucher


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a decision's trace: the rule applied, and its arithmetic in words a person and a bank can follow (X-7)."""

    rule: str
    text: str


class Timer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wake this key at `due`. `name` is unique in its key: setting it again moves it."""

    name: str
    due: datetime
    kind: str
    subject: str = ""


class Internal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message from one aggregate to another: `kind` and `key` name the target, `name` the message type."""

    kind: str
    key: str
    name: str
    body: msgspec.Struct


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """Everything settled: what is offered now, and every version that any booking was frozen with (content never changes)."""

    properties: Mapping[str, PropertyPolicy]  # current, by property id
    terms: tuple[Terms, ...]  # offered now
    frozen_properties: Mapping[str, PropertyPolicy]  # by version
    frozen_terms: Mapping[str, Terms]  # by version
    named: Mapping[str, tuple[Terms, ...]] = {}  # `terms` by name

    def __post_init__(self) -> None:
        named: dict[str, tuple[Terms, ...]] = {}
        for terms in self.terms:
            named[terms.name] = (*named.get(terms.name, ()), terms)
        msgspec.structs.force_setattr(self, "named", named)

    def offered(self, name: str, day: date) -> Terms:
        """The terms of that name in force on `day` (X-8). Raises Rejected `unknown_terms`."""
        for terms in self.named.get(name, ()):
            if (terms.valid_from or day) <= day <= (terms.valid_to or day):
                return terms
        raise Rejected(
            f"terms {name!r} are not offered on {day}: load them, or correct the line",
            code="unknown_terms",
            rule="X-8",
            field="terms",
            value=name,
        )


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the engine loaded for one message. `act` is the instant by which it is judged (X-16), `received_at` when the hub had it.

    `message` is the hub's id of the message (16 bytes), the cause of every id derived here; `key` is the aggregate's own key.
    """

    message: bytes
    name: str
    source: str
    tenant: TenantPolicy
    key: str
    act: datetime
    received_at: datetime
    policies: Policies
    input_id: str = ""
    folio: Folio | None = None
    areas: tuple[Area, ...] = ()
    voucher: Voucher | None = None  # the book of the voucher whose key this is, or that the message names
    effects: Mapping[str, EffectState] = {}  # as the store has them now, for decisions about a request that stands
    decided_at: datetime | None = None  # when a timer's decision is really made, for what must not be done too late (S1-43)
    settings: PropertySettings | None = None  # of a property whose own messages these are
    suspensions: tuple[Suspension, ...] = ()  # of the folio's property, for decisions about its balance requests (S1-36)
    said: Mapping[str, Any] = {}  # what the notice that the message names was to say

    def id(self, n: int | str) -> str:
        """Id of the n-th thing that this message leads to; a second run gives the same one."""
        return derived_id(self.message, n)


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A decision: the next `state` (None: unchanged), `facts` to publish in order, ledger `entries`, `requests` to the outside,
    `moves` of earlier requests, `queries` that a provider should be asked now, `timers` to set and names to `cancel`, `messages` to
    other aggregates, `unparks` (names that messages parked under this key wait for, and that are here now), the `trace` that
    explains it, and `notices` to write (`handlers.notice` adds them to what was decided)."""

    state: State | None = None
    facts: tuple[Fact, ...] = ()
    entries: tuple[Transfer, ...] = ()
    requests: tuple[EffectRequest, ...] = ()
    moves: tuple[EffectMove, ...] = ()
    queries: tuple[PaymentQuery, ...] = ()
    timers: tuple[Timer, ...] = ()
    cancel: tuple[str, ...] = ()
    messages: tuple[Internal, ...] = ()
    unparks: tuple[str, ...] = ()
    trace: tuple[Step, ...] = ()
    policy_version: str = ""
    notices: tuple[NoticeRequest, ...] = ()


def merge(first: Outcome, second: Outcome) -> Outcome:
    """Two outcomes of one decision as one: the state of the second wins if it has one, all else is joined in order."""
    return Outcome(
        state=second.state if second.state is not None else first.state,
        facts=first.facts + second.facts,
        entries=first.entries + second.entries,
        requests=first.requests + second.requests,
        moves=first.moves + second.moves,
        queries=first.queries + second.queries,
        timers=first.timers + second.timers,
        cancel=first.cancel + second.cancel,
        messages=first.messages + second.messages,
        unparks=first.unparks + second.unparks,
        trace=first.trace + second.trace,
        policy_version=second.policy_version or first.policy_version,
        notices=first.notices + second.notices,
    )


def folio_of(outcome: Outcome) -> Folio:
    """The folio that a decision about one leaves."""
    assert isinstance(outcome.state, Folio)
    return outcome.state


NOTHING = Outcome()
DAY = timedelta(days=1)
