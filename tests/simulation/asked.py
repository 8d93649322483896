"""What must hold of a booking at every instant of a world in which balances are asked for: one live request and one live link, for no
more than is owed, on days and at times of the property; of its payments: vouchers, what is due now and the balance make the total; and of
a voucher: no more of it is held than is left.

Days are counted here anew from what the house has settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from handlers import account
from schemas.balance_request import BalanceRequest, BalanceStatus
from schemas.booking import LineKind
from schemas.folio import Folio, FolioStatus
from schemas.policy import BalancePolicy
from schemas.voucher_book import Voucher
from tests.simulation.vouchers import overspent

if TYPE_CHECKING:
    from tests.simulation.world import World

LIVE: Final = frozenset({BalanceStatus.PENDING, BalanceStatus.SENT_NO_REPLY, BalanceStatus.SENT_REPLIED})
ALSO: Final = frozenset({
    "payment.disputed", "payment.dispute_ended", "refund.held", "approval.requested", "approval.decided", "folio.overpaid",
    "channel.balance_changed", "notice.failed", "notice.refused",
})  # fmt: skip
"""What is counted beside all that is told of balances."""
SENT: Final = LIVE - {BalanceStatus.PENDING}


class Asked:
    """Looks at what changed, whenever something did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._bodies: dict[str, bytes] = {}
        self._folios: dict[str, Folio] = {}
        self._outcomes = 0
        self.tell: Callable[[str, str], None] = lambda folio, name: None  # who listens to what is told
        self._met: Counter[str] = Counter()
        self._wrong: dict[str, None] = {}

    def look(self) -> None:
        """After everything that is done at this instant."""
        before = dict(self._folios)
        for row in self._world.rows("SELECT key, body FROM state WHERE kind = 'folio' AND body IS NOT NULL"):
            if self._bodies.get(row["key"]) != row["body"]:
                self._bodies[row["key"]] = row["body"]
                folio = self._folios[row["key"]] = msgspec.json.decode(row["body"], type=Folio)
                self._say(folio, [*self._requests(folio), *payments(folio)])
        for row in self._world.rows("SELECT key, body FROM state WHERE kind = 'voucher' AND body IS NOT NULL"):
            if self._bodies.get(row["key"]) != row["body"]:
                self._bodies[row["key"]] = row["body"]
                self._wrong |= dict.fromkeys(overspent(msgspec.json.decode(row["body"], type=Voucher)))
        told = self._world.rows("SELECT seq, key, name, body FROM outbox WHERE seq > ? ORDER BY seq", (self._outcomes,))
        for row in told:
            self._outcomes = row["seq"]
            self.tell(row["key"], row["name"])
            if row["name"] in ALSO:
                self._met[row["name"]] += 1
            if row["name"].startswith("balance."):
                self._told(row["key"], row["name"], msgspec.json.decode(row["body"]), before)

    def seen(self) -> Counter[str]:
        """What this world has met with."""
        return self._met

    def wrong(self, folios: Sequence[Folio]) -> list[str]:
        """All that did not hold, and what does not at the end."""
        for folio in folios:
            for request in _live(folio):
                if request.overdue_since is None and request.deadline < self._today(folio):
                    self._say(folio, [f"{_name(request)}: its deadline has gone by, and nobody was told"])
        sent = Counter(
            (row["key"], row["attempt"])
            for row in self._world.rows(
                "SELECT key, json_extract(body, '$.attempt') AS attempt FROM outbox WHERE name = 'balance.sent'"
            )
        )
        twice = [f"{folio}: attempt {attempt} was sent {count} times" for (folio, attempt), count in sent.items() if count > 1]
        return [*self._wrong, *twice]

    # -- requests --------------------------------------------------------------------------------------------------------------

    def _requests(self, folio: Folio) -> Iterator[str]:
        yield from requests(folio)
        for request in _live(folio):
            yield from self._days(request, folio)

    def _days(self, request: BalanceRequest, folio: Folio) -> Iterator[str]:
        """X-9, S1-4, S1-29: by the calendar of its property, whatever the hours of the day."""
        policy = self._policy(folio, request)
        planned = None if policy.per_accommodation or request.accommodation else deadline(folio, policy)
        if planned is not None and request.planned != planned:
            yield f"{_name(request)} is planned for {request.planned}, arrival less due days is {planned}"
        if request.deadline < request.planned:
            yield f"{_name(request)}: deadline {request.deadline} before {request.planned}"
        if request.wake_at is not None and request.wake_at > self._world.now():
            local = request.wake_at.astimezone(self._zone(folio))
            wanted = datetime.combine(local.date(), policy.send_time, local.tzinfo)
            skipped = wanted.astimezone(UTC).astimezone(local.tzinfo).time() != policy.send_time
            if local.time() != policy.send_time and not skipped:
                yield f"{_name(request)}: its mail goes at {local}, and {policy.send_time} is wanted"

    def _told(self, key: str, name: str, data: dict[str, Any], before: dict[str, Folio]) -> None:
        self._met[name] += 1
        if name == "balance.refused":
            self._met[data["code"]] += 1
        folio, was = self._folios.get(key), before.get(key)
        if folio is None:
            return
        if name == "balance.overdue" and not date.fromisoformat(data["deadline"]) < self._today(folio):
            self._say(folio, [f"overdue on {self._today(folio)}, and {data['deadline']} is the deadline (S1-44)"])
        if name == "balance.sent" and was is not None and arrival(was) == arrival(folio) and not self._today(folio) < _day(folio):
            self._say(folio, [f"asked on {self._today(folio)}, the stay begins {arrival(folio)} (S1-38)"])
        if name == "balance.cancelled" and data["reason"] == "booking_cancelled" and was is not None:
            self._met |= Counter(f"cancelled while {one.status.value}" for one in _live(was))
        if name == "balance.sent" and not data["again"]:
            self._met["a link more"] += data["link"] > 1

    # -- where and by what -----------------------------------------------------------------------------------------------------

    def _policy(self, folio: Folio, request: BalanceRequest) -> BalancePolicy:
        house = self._world.knobs.house
        assert house is not None
        return house.asks[request.policy or folio.policy]

    def _zone(self, folio: Folio) -> ZoneInfo:
        return ZoneInfo(self._world.configuration.properties[folio.property].zone)

    def _today(self, folio: Folio) -> date:
        return self._world.now().astimezone(self._zone(folio)).date()

    def _say(self, folio: Folio, wrong: Sequence[str]) -> None:
        self._wrong |= dict.fromkeys(f"{folio.folio}: {one}" for one in wrong)


def requests(folio: Folio) -> Iterator[str]:
    """S1-18, S1-20, S1-35: one live request of an accommodation and one live link, for no more than is owed."""
    live, owed = _live(folio), max(0, account.balance(folio))
    if len(live) > len({one.accommodation for one in live}):
        yield f"{len(live)} live requests of {[one.accommodation for one in live]}"
    if len([one for one in live if not one.accommodation]) > 1:
        yield "two live requests"
    links = [one.link for one in folio.balance_requests if one.link]
    if len(links) != len(set(links)) or any(one.link and one.status not in SENT for one in folio.balance_requests):
        yield f"live links {links} of {[one.status.value for one in folio.balance_requests]}"
    if len(links) > len(live):
        yield f"{len(links)} live links, {len(live)} live requests"
    if sum(one.amount for one in live) > owed:
        yield f"asked for {[one.amount for one in live]} of {owed} that are owed"
    if live and folio.status is FolioStatus.CANCELLED:
        yield f"cancelled, and still asked: {[one.request for one in live]}"


def payments(folio: Folio) -> Iterator[str]:
    """S0-11: vouchers + due now + balance = total, where the vouchers are not more than that."""
    if folio.status is FolioStatus.CANCELLED or folio.reduced_at is not None:
        return
    total = folio.service_fee + sum(line.price for line in folio.lines if not line.cancelled)
    counted = sum(one.counts for one in folio.vouchers)
    if max(total, counted) != counted + folio.due_now + folio.second_payment:
        yield f"vouchers {counted} + due now {folio.due_now} + balance {folio.second_payment} are not {total}"


def arrival(folio: Folio) -> date | None:
    """The day on which the stay begins."""
    return min((line.arrival for line in folio.lines if not line.cancelled and line.arrival is not None), default=None)


def _day(folio: Folio) -> date:
    return arrival(folio) or date.max


def deadline(folio: Folio, policy: BalancePolicy) -> date | None:
    """S1-2 to S1-4, S1-39: the earliest arrival less due days, the most specific of them."""
    lines = [line for line in folio.lines if not line.cancelled and line.kind in (LineKind.STAY, LineKind.SERVICE)]
    stays = [line for line in lines if line.kind is LineKind.STAY] or lines
    found = []
    for line in stays:
        days = policy.due_days_by_accommodation.get(
            line.accommodation, policy.due_days_by_type.get(line.accommodation_type, policy.due_days)
        )
        begins = line.arrival or arrival(folio)
        if begins is not None:
            found.append(begins - timedelta(days=days))
    return min(found, default=None)


def _live(folio: Folio) -> list[BalanceRequest]:
    return [one for one in folio.balance_requests if one.status in LIVE]


def _name(request: BalanceRequest) -> str:
    return f"balance request {request.request} ({request.status.value})"
