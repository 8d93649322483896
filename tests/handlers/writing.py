"""A stay and a house with vouchers whose property wants every notice: what is written about what they decide, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from engine.routes import decision_of
from handlers.balance_request import follows
from handlers.notice import noticed
from handlers.outcome import Facts, Outcome
from schemas import registry
from schemas.folio import Folio, FolioNotice
from schemas.notice import NoticeCarried, NoticeKind, NoticeRequest, NoticeState
from schemas.policy import PropertyPolicy
from tests.handlers.balances import ASKS, SENT, Asked
from tests.handlers.campsite import CAMP, line, ordered
from tests.handlers.house import PREMIUM, House, _Parked

EVERY = tuple(NoticeKind)
OPERATOR = {"kind": "operator", "id": "o-1"}


class Told(Asked):
    """A balance that is asked for, with what guest and merchant are written."""

    def __init__(self, camp: PropertyPolicy = ASKS) -> None:
        super().__init__(camp=replace(camp, notices=EVERY))
        self.written: list[NoticeRequest] = []

    def _take(self, decide: Callable[[Any, Facts], Outcome], message: object, facts: Facts) -> Outcome:
        told = noticed(super()._take(decide, message, facts), facts)
        if isinstance(told.state, Folio):
            self.state = told.state
        self.written += told.notices
        return told

    def carried(self, state: NoticeState, kind: NoticeKind | None = None, code: str = "") -> Outcome:
        """What came of the last notice (of a kind)."""
        return self.inside("notice.carried", NoticeCarried(notice=self.last(kind).notice, state=state, code=code))

    def resend(self, notice: str, actor: dict[str, str] = OPERATOR) -> Outcome:
        """`notice.resend`, with what the engine knows that the notice was to say."""
        message = registry.decode_data(
            "notice.resend", registry._ENCODER.encode({"actor": actor, "folio": "B-1", "notice": notice})
        )
        known = next((one.variables for one in self.written if one.notice == notice), {})
        facts = replace(self.facts("notice.resend"), said=known)
        return self._take(decision_of("notice.resend", message), message, facts)

    def inside(self, name: str, message: object) -> Outcome:
        """A message of the engine's own."""
        return self._take(follows(decision_of(name, message)), message, self.facts(name))

    def last(self, kind: NoticeKind | None = None) -> FolioNotice:
        """The latest notice, or that of a kind, as the folio keeps it."""
        return [one for one in self.folio.notices if kind in (None, one.kind)][-1]

    def kinds(self) -> list[tuple[str, int]]:
        """Kind and attempt of all that was written since the booking."""
        return [(one.kind.value, one.attempt) for one in self.written if one.kind is not NoticeKind.BOOKING_CONFIRMED]


def bought(at: str = "2026-01-01T10:00:00+01:00", camp: PropertyPolicy = ASKS, **more: Any) -> Told:
    """V1: a stay of 200 from 24 July, half of it paid at purchase."""
    stay = Told(camp)
    stay.now = at
    stay.book(ordered(line(), **{"payment_plan": "split", "service_fee": 0, "booked_at": at, "language": "de", **more}))
    stay.card(stay.folio.due_now)
    return stay


def asked(**more: Any) -> Told:
    """V1 after its mail of 30 June."""
    stay = bought(**more)
    stay.until(SENT)
    return stay


class WritingHouse(House):
    """A house with vouchers, with what guest and merchant are written."""

    def __init__(self, **more: Any) -> None:
        super().__init__(camps=(replace(CAMP, notices=EVERY, version="camp-azur/writes", **more),), tenant=PREMIUM)
        self.written: list[NoticeRequest] = []

    def _decide(self, item: _Parked) -> Outcome:
        facts = self._facts(item)
        out = noticed(decision_of(item.name, item.body)(item.body, facts), facts)
        self.written += out.notices
        return out

    def kinds(self, folio: str = "B-1") -> list[str]:
        """All that was written about a folio, but for what every booking has."""
        known = {one.notice for one in self.folio(folio).notices}
        return [one.kind.value for one in self.written if one.notice in known]
