"""One world: hubs that die and come back, a scripted provider, a broker, senders that repeat themselves, people, one clock. Nothing is
left to chance but the seed: the same seed gives the same trace, byte by byte."""

from __future__ import annotations

import contextlib
import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from engine.clock import ManualClock, instant, micros
from engine.hub import Hub
from engine.store.rows import OutboxRow
from engine.transport.contract import Arrival
from schemas.errors import Rejected
from tests.simulation.aims import Aims
from tests.simulation.asked import Asked
from tests.simulation.balances import BalancePlan
from tests.simulation.broker import Broker
from tests.simulation.deaths import Deaths
from tests.simulation.disk import Disk
from tests.simulation.fate import Fate
from tests.simulation.holds import Holds
from tests.simulation.house import House
from tests.simulation.knobs import Knobs, shipped
from tests.simulation.luck import IN_FLIGHT, Luck
from tests.simulation.mails import Mails
from tests.simulation.messages import arrival, slip, told_again
from tests.simulation.owners import Owners
from tests.simulation.people import People
from tests.simulation.plan import Plan
from tests.simulation.provider import SimulatedProvider
from tests.simulation.scripts import NEVER_CALLED
from tests.simulation.troubles import trouble
from tests.simulation.vouchers import VoucherPlan

SECOND = 1_000_000
LATE_STAYS = 3
HORIZON_US = 250 * 86_400 * SECOND


class World:
    """Runs from its seed until it is quiet. `with_vouchers`: its guests pay with vouchers too; `families`: they are asked for balances as
    well, and mail is carried."""

    def __init__(self, seed: int, *, with_vouchers: bool = False, families: bool = False) -> None:
        self.seed, self.with_vouchers = seed, with_vouchers or families
        self.chance = random.Random(f"world {seed}")
        configuration, empty = shipped()
        self.knobs = Knobs(configuration, self.chance, House(seed) if families else None)
        self.configuration, self.begins = self.knobs.configuration, self.knobs.begins
        self.clock = ManualClock(micros(self.begins))
        self.aims = Aims(seed)
        self.luck = Luck(seed, self.chance.choice((0.0, 0.005, 0.01, 0.02)), self.aims.script, self.aims.own)
        self.luck.scripts = self.scripts_of
        self.disk = Disk(self.luck, empty)
        self.provider = SimulatedProvider(seed, self.clock, self.aims)
        self.broker = Broker(seed)
        self.mails, self.asked = (Mails(self), Asked(self)) if families else (None, None)
        self.chunk = self.chance.choice((1, 2, 7, 500))
        self.unreachable = self.chance.choice((0.0, 0.0, 0.1))  # how often the provider cannot be reached
        self.queries_fail = False
        self.failures: Counter[str] = Counter()  # calls that were made to fail for a wanted death, by its step
        self.played: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.writes: dict[str, int] = {}
        self.late: set[str] = set()  # effects of which an answer was stored after others had gone on with them
        self.accepted: dict[tuple[str, str], tuple[Arrival, int]] = {}
        self._called: dict[tuple[str, bool], int] = {}
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._mail: list[Arrival] = []
        self._number = self.down_until = 0
        self.deaths = Deaths(self)
        self.holds = Holds(self)
        self.fate = Fate(self)
        self.owners = Owners(self)
        self.people = People(self)
        self._plan = Plan(seed, self)
        if self.with_vouchers:
            VoucherPlan(self)
        if self.asked is not None:
            self.asked.tell = BalancePlan(self).heard
        trouble(self)

    # -- what a plan asks for --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The world's time."""
        return instant(self.clock.now())

    def seconds(self) -> int:
        """Since the world began."""
        return (self.clock.now() - micros(self.begins)) // SECOND

    def at(self, second: float, act: Callable[[], None]) -> None:
        """Put something on the agenda, seconds since the world began."""
        self._number += 1
        heapq.heappush(self._agenda, (max(micros(self.begins) + int(second * SECOND), self.clock.now()), self._number, act))

    def send(self, second: float, source: str, id_: str, name: str, data: dict[str, Any], *, actor: str = "system") -> None:
        """A message, late or twice as luck has it."""
        chance = self.chance
        one = arrival(source, id_, name, data, instant(micros(self.begins) + max(0, int(second)) * SECOND), actor=actor)
        for _ in range(1 if chance.random() < 0.7 else chance.choice((2, 3))):
            late = chance.choice((0, 0, 0, 1, 20, 4_000, 90_000))
            self.at(max(0, second) + late, lambda: self.deliver(one))
        if chance.random() < 0.02:
            other = arrival(source, id_, name, {**data, "requested_at": None, "folio": "F-conflict"}, self.now(), actor=actor)
            self.at(max(0, second) + 200_000, lambda: self.deliver(other))

    def deliver(self, *arrivals: Arrival) -> None:
        """Give it to the post: it is sent until a hub has acknowledged it."""
        self._mail += arrivals

    def repeat(self) -> None:
        """Somebody sends again what was accepted, now and then something very old."""
        if self.accepted:
            known = [one for one, _ in self.accepted.values()]
            self.deliver(self.chance.choice(known[-5:] if self.chance.random() < 0.9 else known))

    def rubbish(self) -> Arrival:
        """A message that nobody can read."""
        return arrival("pms.thais", f"bad-{self.chance.random()}", "booking.confirmed", {"nonsense": 1}, self.now())

    def back_office(self, payid: str, minor: int, status: str = "8", operation: str = "RFD") -> None:
        """Somebody clicks at the provider; what it refuses is no event."""
        with contextlib.suppress(Rejected):
            self.provider.provider.back_office(payid, operation, minor, self.now(), status=status)
            self.luck.trace.append(f"{self.seconds()} back office {operation} {payid} {minor} {status}")

    def turn(self, payid: str, order: str, status: str) -> None:
        """A sale of which nothing was given back turns out not to have been one (93), or to have been one after all (9)."""
        if self.provider.captured_and_refunded()[payid][1]:
            return
        self.provider.provider.settle(payid, 0, status, self.now())
        self.luck.trace.append(f"{self.seconds()} the sale {payid} is {status}")
        self.notify(payid, order=order)

    def notify(self, reference: str, *, order: str = "") -> None:
        """A callback that tells of a payment nothing that is new; each third one by `order` alone, where it is given."""
        self._number += 1
        named = ("", order) if order and self._number % 3 == 0 else (reference, "")
        self.deliver(told_again(self._number, *named, self.now()))

    # -- at the doors ----------------------------------------------------------------------------------------------------------

    def post(self, hub: Hub) -> None:
        """What waits at the doors, in whatever order and company."""
        while self._mail:
            many = self.chance.choice((1, 1, 2, 5))
            if len(self._mail) > 1 and self.chance.random() < 0.3:
                self.chance.shuffle(self._mail)
            self._append(hub, self._mail[:many])
            del self._mail[:many]

    def repeat_one(self, hub: Hub) -> None:
        """One message at this hub's door that came before, or one that changes nothing."""
        known = next(reversed(self.accepted.values()), None)
        fresh = known is not None and self.clock.now() - known[1] < 20 * 86_400 * SECOND
        if not (known and fresh and self.chance.random() < 0.7):
            self._number += 1
            self._append(hub, [slip(self._number, self.now())])
        else:
            self._append(hub, [known[0]])

    def _append(self, hub: Hub, arrivals: Sequence[Arrival]) -> None:
        for one, receipt in zip(arrivals, hub.intake.append(arrivals), strict=True):
            if receipt.taken != "dead_lettered":
                self.accepted.setdefault((one.attributes["source"], one.attributes["id"]), (one, self.clock.now()))
            self.luck.trace.append(f"{self.seconds()} {receipt.taken} {one.attributes['id']} {one.attributes['type']}")

    # -- running ---------------------------------------------------------------------------------------------------------------

    @property
    def hub(self) -> Hub:
        """The owner of the lanes."""
        return self.owners.hub

    def run(self) -> None:
        """Until nothing will ever happen by itself. Then, with no more deaths, people look at what waits for them; every payment is
        asked for its history; and people look again."""
        self._quiet()
        for number in range(1 + LATE_STAYS):
            if self.aims.met() and (number > self.aims.patience or not self.luck.hopes()):
                break
            if number:
                self._plan.another()
            self.at(self.seconds() + number * 600_000, self.people.act)
            self._quiet()
        self.luck.stop()
        self.owners.wake()
        self.queries_fail, self.down_until = False, 0
        self.fate.stop()
        for last in (False, True):
            self.at(self.seconds() + 60, self.people.act)
            self._quiet()
            self._audit()
            self._quiet()
            self.people.last = last
        self.broker.away, self.aims.left = 0.0, {}
        self.at(self.seconds() + 60, self.people.act)
        self._quiet()
        self._audit()
        self._quiet()
        while self.broker.behind(self):
            self.owners.relay(self.hub)

    def _audit(self) -> None:
        """Every payment of which the provider shows something that the hub has not seen is asked for its history."""
        seen = {(row["reference"], row["level"]): row["status"] for row in self.rows("SELECT * FROM provider_record")}
        for payment in self.provider.books.payments():
            shown = {(payment.payid, str(one.level)): one.status for one in self.provider.books.operations(payment.payid)}
            if not shown.items() <= seen.items():
                self.notify(payment.payid)

    def _quiet(self) -> None:
        self.until(self.clock.now() + HORIZON_US, forever=True)

    def until(self, end: int, enough: Callable[[], bool] = lambda: False, *, forever: bool = False) -> None:
        """Let time pass up to an instant, or until it is `enough`. `forever`: only as far as something happens by itself."""
        while not enough():
            instants = [
                at for at in (self._agenda[0][0] if self._agenda else None, self.provider.next_due(), self._hub_due()) if at
            ]
            if self._mail:
                instants.append(self.clock.now())
            if not instants or min(instants) > end:
                if not forever:
                    self.clock.advance(end)
                return
            self.clock.advance(min(instants))
            while self._agenda and self._agenda[0][0] <= self.clock.now():
                heapq.heappop(self._agenda)[2]()
            self._callbacks()
            while not self.owners.alive(self.post):
                pass
            if self.clock.now() >= self.down_until:
                self.owners.work()
            if self.asked is not None:
                self.asked.look()

    def _hub_due(self) -> int | None:
        due = self.hub.next_due()
        if due is None and self.hub.store.waiting_count():  # what was acknowledged wakes a live hub
            due = self.clock.now()
        return None if due is None else max(due, self.down_until)

    def _callbacks(self) -> None:
        arrivals = self.provider.callbacks()
        self.deliver(*arrivals)
        if arrivals and self.chance.random() < 0.2:
            self.deliver(*reversed(arrivals))

    def tempt(self) -> None:
        """Die where this world is to die while an effect of its script is as it is now; then let others bring it further."""
        while self.luck.in_flight < IN_FLIGHT and (aim := self.aims.next(self.disk.standing, self.scripts_of)) is not None:
            if not self.deaths.provoke(aim):
                self.aims.again(aim)
        self.fate.act()

    # -- what is known from outside --------------------------------------------------------------------------------------------

    def reached(self, effect: str, reference: str, script: str) -> None:
        """A request came to the provider."""
        closing = self.disk.standing[effect].kind != "refund"
        self._called[reference, closing] = self._called.get((reference, closing), 0) + 1
        self.writes[effect] = self.writes.get(effect, 0) + 1
        self.played[effect] = script or ("closing plain" if closing else "plain")

    def scripts_of(self, point: str, effect: str, state: str) -> tuple[str, ...]:
        """What the provider has played with an effect, or will; beside it how a query failed, as long as that is not stored."""
        stands = self.disk.standing[effect]
        script = self.played.get(effect)
        if script is None and state in ("planned", "sending"):
            closing = stands.kind != "refund"
            call = self._called.get((stands.reference, closing), 0) + 1
            script = self.provider.waiting.get((stands.reference, closing, call), "plain")
        step = point.partition(" ")[2]
        failed = None
        if step in ("put off", "learn", "look", "ask") and state not in ("confirmed", "refused", "reversed"):
            failed = self.failed.get(effect)
        elif step in ("ask payment", "payment again"):
            failed = self.failed.get(stands.reference)
        return (script or NEVER_CALLED, *((failed,) if failed else ()))

    def in_focus(self, effect: str) -> bool:
        """Whether this world is for what this effect meets."""
        state = self.disk.standing[effect].state
        return self.luck.focuses(self.scripts_of("", effect, state), state)

    def outcomes(self) -> list[OutboxRow]:
        """Everything that was said, in order."""
        return self.hub.reading.outbox_of("azur", 0, 100_000)

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of the store."""
        return self.hub.reading.rows(statement, parameters)
