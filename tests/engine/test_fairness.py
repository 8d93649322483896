"""One tenant's mass refund and another tenant's single guest (X-28): through a live hub's dispatcher and runner, with the simulated
provider's accounts at the other end of the wire."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from connectors.psp.contract import Deadline
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.simulator.accounts import SANDBOX, merchant_account
from connectors.psp.ogone.simulator.books import Books
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import Script
from connectors.psp.ogone.wire import Answered
from engine.clock import instant
from engine.dispatch import Dispatcher
from engine.hub import Hub
from engine.pacing import Pace, Paced, PacedWire
from engine.serving import Serving
from engine.transport.contract import Arrival
from tests.engine.sandbox import URL
from tests.engine.summer import settings
from tests.engine.test_serving import STAY, at, soon

MANY: Final = 1_000
FEW: Final = 6
"""For each thread of a merchant so many of its refunds may go before the guest of another, who came after all of them: two are under way,
and a few more go while his is asked about and marked."""
FAST: Final = 100_000.0  # calls a second: no pace holds anything back
PROPERTIES: Final = {"azur": "camp-azur", "vert": "camp-vert"}


class Exchange:
    """The wire of both merchants: which of them sent a refund, in order. `gate`: closed until everything is decided."""

    def __init__(self, provider: Provider) -> None:
        self._wire = InProcessWire(provider, lambda: instant(self.now))
        self.now = 0
        self.sent: list[str] = []
        self._lock = threading.Lock()

    def of(self, merchant: str) -> _Wire:
        return _Wire(merchant, self)

    def post(self, merchant: str, url: str, form: bytes, deadline: Deadline, cap: int) -> Answered:
        if "maintenance" in url:
            with self._lock:
                self.sent.append(merchant)
        return self._wire.post(url, form, deadline=deadline, cap=cap)


class _Wire:
    def __init__(self, merchant: str, exchange: Exchange) -> None:
        self._merchant, self._exchange = merchant, exchange

    def post(self, url: str, form: bytes, *, deadline: Deadline, cap: int) -> Answered:
        return self._exchange.post(self._merchant, url, form, deadline, cap)


class Platform:
    """A hub with two tenants, each with a merchant of its own, paced as it is said."""

    def __init__(self, folder: Path, per_second: float, concurrency: int) -> None:
        other = msgspec.structs.replace(SANDBOX, pspid="vertTEST", userid="vertAPI")
        self.provider = Provider(Books(":memory:"), Script(), (SANDBOX, other))
        self.exchange = Exchange(self.provider)
        self.clock, self.most = at(), FEW * concurrency
        self.exchange.now = self.clock.now()
        connectors = {}
        for merchant, account in (("azur", SANDBOX), ("vert", other)):
            pace = Pace(merchant, per_second, 5, 30.0)
            wire = PacedWire(self.exchange.of(merchant), pace)
            connectors[merchant] = Paced(OgoneConnector(merchant_account(account, merchant, URL), wire), pace, concurrency)
        plain = settings()
        camps = {
            name: msgspec.structs.replace(one, version=f"{name}/fair", approval_above=None)
            for name, one in plain.properties.items()
        }
        self.hub = Hub(msgspec.structs.replace(plain, properties=camps), str(folder / "hub.sqlite"), connectors, clock=self.clock)

    def refunds(self, tenant: str, count: int) -> None:
        """So many stays of a tenant, paid and cancelled: decided, and nothing is sent yet."""
        arrivals: list[Arrival] = []
        for number in range(count):
            arrivals += self._stay(tenant, f"{tenant}-{number}")
        self.hub.intake.append(arrivals)
        while self.hub.run_lanes().decided:
            pass

    def _stay(self, tenant: str, name: str) -> Iterator[Arrival]:
        pspid = {"azur": "azurTEST", "vert": "vertTEST"}[tenant]
        payid = self.provider.create(f"O-{name}", 10_000, "EUR", instant(self.clock.now()), pspid=pspid, callback=False)
        stay: dict[str, Any] = {"property": PROPERTIES[tenant], "currency": "EUR", "lines": [{**STAY, "price": 10_000}]}
        paid = {"payment": "P", "amount": 10_000, "currency": "EUR", "provider": "ogone", "merchant": tenant,
                "provider_reference": payid, "order": f"O-{name}"}  # fmt: skip
        gone = {"request": "R", "confirm": True}
        said = (("booking.confirmed", stay), ("payment.received", paid), ("cancellation.request", gone))
        for step, (type_, data) in enumerate(said):
            event = {"specversion": "1.0", "id": f"{name}-{step}", "source": "pms.thais", "type": f"foliohub.{type_}.v1",
                     "tenant": tenant, "data": {"actor": {"kind": "guest", "id": "x"}, "folio": name, **data}}  # fmt: skip
            yield Arrival(door="test", body=msgspec.json.encode(event), content_type="application/cloudevents+json")

    def told(self, tenant: str) -> int:
        rows = self.hub.reading.rows("SELECT count(*) AS n FROM outbox WHERE name = 'refund.executed' AND tenant = ?", (tenant,))
        return int(rows[0]["n"])


@pytest.fixture
def platform(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Platform]:
    made = Platform(tmp_path, *request.param)
    with closing(made.hub):
        yield made


def before(sent: Sequence[str], merchant: str) -> int:
    """How many of others were sent before this merchant's first."""
    return sent.index(merchant)


@pytest.mark.parametrize("platform", [(FAST, 1), (FAST, 64)], indirect=True)
def test_x_28_a_guest_does_not_wait_for_another_tenants_mass_refund(platform: Platform) -> None:
    """Thousands that were due before his, none of them held back by its pace: his goes with the next few."""
    platform.refunds("azur", MANY)
    platform.refunds("vert", 1)
    serving = Serving(platform.hub, {})
    serving.start()
    try:
        assert soon(lambda: platform.told("vert") == 1, 60)
        sent = list(platform.exchange.sent)
    finally:
        serving.stop()

    assert before(sent, "vert") <= platform.most


@pytest.mark.parametrize("platform", [(FAST, 64)], indirect=True)
def test_x_28_each_has_its_turn_at_one_look(platform: Platform) -> None:
    """However much is due of its neighbour, and even while that one has threads to spare."""
    platform.refunds("azur", 300)
    platform.refunds("vert", 1)
    dispatcher = Dispatcher(platform.hub)
    dispatcher._hand_out()

    assert {item.merchant for item in dispatcher._under_way.values()} == {"azur", "vert"}


@pytest.mark.parametrize("platform", [(FAST, 4)], indirect=True)
def test_x_28_nor_one_that_comes_in_the_middle_of_it(platform: Platform) -> None:
    """The same while the others are on their way."""
    platform.refunds("azur", MANY)
    serving = Serving(platform.hub, {})
    serving.start()
    try:
        assert soon(lambda: len(platform.exchange.sent) > 50, 60)
        platform.hub.intake.append(list(platform._stay("vert", "vert-0")))
        query = "SELECT 1 FROM effect WHERE tenant = 'vert'"
        assert soon(lambda: platform.hub.reading.rows(query), 60)
        begun = len(platform.exchange.sent)
        assert soon(lambda: platform.told("vert") == 1, 60)
        sent = list(platform.exchange.sent)
    finally:
        serving.stop()

    assert before(sent, "vert") - begun <= platform.most


@pytest.mark.parametrize("platform", [(20.0, 4)], indirect=True)
def test_x_28_each_merchant_is_throttled_by_its_own_pace(platform: Platform) -> None:
    """Four calls each: a second's calls at once, then so many a second; the guest of another merchant spends none of them."""
    platform.refunds("azur", 100)
    platform.refunds("vert", 1)
    serving = Serving(platform.hub, {})
    serving.start()
    try:
        assert soon(lambda: platform.told("vert") == 1, 5)
        sent = list(platform.exchange.sent)
        soon(lambda: False, 1.0)
        later = platform.exchange.sent.count("azur")
    finally:
        serving.stop()

    assert sent.count("vert") == 1
    assert sent.count("azur") <= 20
    assert later <= 30, "20 calls at once and 20 a second, four for each refund"
