"""No figure without truth: what a measurement looks at afterwards is seen when it is wrong."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import bare_loop, effects, embedded, latency, ota, poison, soak
from benchmarks.checks import Expected, whole
from benchmarks.embedded import AcceptingProviders
from benchmarks.messages import MERCHANT, REFUND, ids, order, payid, stream
from benchmarks.processes import Provider, configuration
from config.loader import load
from connectors.psp.contract import Deadline
from engine.clock import ManualClock
from engine.store.sqlite.database import Database
from schemas.effect import EffectKind, EffectOrder

STAYS = 20
NAMES = ids(STAYS, 1)
EVENTS = list(stream(NAMES, lag=2))


# -- the bare loop -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", bare_loop.FORMS.values(), ids=bare_loop.FORMS)
def test_the_loop_takes_a_message_once(form: bare_loop.Form, tmp_path: Path) -> None:
    """Its inbox works: a message that comes again, in the same batch or later, changes nothing."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(bare_loop.SCHEMA)
    for batch in ([*EVENTS, EVENTS[5]], EVENTS[:7]):
        form(db, batch)

    bare_loop.check(db, STAYS)


@pytest.mark.parametrize("form", bare_loop.FORMS.values(), ids=bare_loop.FORMS)
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param("DELETE FROM outbox WHERE seq = 3", id="an outcome is missing"),
        pytest.param("INSERT INTO outbox SELECT NULL, id, key, body FROM outbox WHERE seq = 3", id="an outcome too many"),
        pytest.param("UPDATE posting SET minor = minor + 1 WHERE seq = 3", id="a cent too many"),
        pytest.param("UPDATE state SET version = 3 WHERE key = (SELECT min(key) FROM state)", id="a change was lost"),
        pytest.param(
            "UPDATE state SET body = CAST(replace(CAST(body AS TEXT), '\"refunded\":6000', '\"refunded\":0') AS BLOB)",
            id="the stays know nothing of their refunds",
        ),
    ],
)
def test_the_loop_is_checked(form: bare_loop.Form, wrong: str) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(bare_loop.SCHEMA)
    form(db, EVENTS)
    bare_loop.check(db, STAYS)
    assert db.execute(wrong).rowcount

    with pytest.raises(AssertionError):
        bare_loop.check(db, STAYS)


# -- stores of a hub ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the embedded way leaves of twenty stays."""
    path = tmp_path_factory.mktemp("embedded") / "hub.sqlite"
    embedded.run(path, NAMES, EVENTS)
    return path


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param("DELETE FROM outbox_row WHERE seq = (SELECT max(seq) FROM outbox_row)", id="an outcome is missing"),
        pytest.param("UPDATE outbox_row SET name = 'refund.refused' WHERE name = 'refund.executed'", id="refunds were refused"),
        pytest.param("UPDATE effect SET state = 'unknown' WHERE id = (SELECT min(id) FROM effect)", id="a refund is in doubt"),
        pytest.param("UPDATE effect SET minor = minor + 1 WHERE id = (SELECT min(id) FROM effect)", id="a cent too much refunded"),
        pytest.param("UPDATE decision SET result = 'defect' WHERE seq = 1", id="something was a defect"),
        pytest.param("UPDATE state SET blocked = 'x' WHERE id = (SELECT min(id) FROM state)", id="a folio is blocked"),
        pytest.param(
            "DROP TRIGGER transfer_stays; DELETE FROM transfer_row WHERE seq = (SELECT max(seq) FROM transfer_row)",
            id="a transfer is missing",
        ),
        pytest.param(
            "DROP TRIGGER transfer_is_immutable; UPDATE transfer_row SET minor = minor + 1 WHERE minor = 6000",
            id="transfers were changed",
        ),
    ],
)
def test_a_store_is_checked(wrong: str, store: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.sqlite"
    changed.write_bytes(store.read_bytes())
    with closing(Database(str(changed), writer=False)) as database:
        whole(database, Expected.all(STAYS))
    with closing(sqlite3.connect(changed)) as db:
        db.executescript(wrong)

    with closing(Database(str(changed), writer=False)) as database, pytest.raises(AssertionError):
        whole(database, Expected.all(STAYS))


@pytest.mark.parametrize("field", Expected._fields)
def test_every_count_counts(field: str, store: Path) -> None:
    expected = Expected.all(STAYS)

    with closing(Database(str(store), writer=False)) as database, pytest.raises(AssertionError):
        whole(database, expected._replace(**{field: getattr(expected, field) + 1}))


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(EVENTS[:-1], id="a message is missing"),
        pytest.param([*EVENTS, EVENTS[0]], id="a message comes twice"),
        pytest.param([*EVENTS, b"{}"], id="something else comes"),
    ],
)
def test_the_embedded_way_is_checked(events: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        embedded.run(tmp_path / "hub.sqlite", NAMES, events)


def test_the_provider_of_the_embedded_way_is_asked(tmp_path: Path) -> None:
    """A second refund that the hub knows nothing of is found in the provider's own history."""
    providers, clock = AcceptingProviders(), ManualClock(embedded.NOW)
    with closing(embedded.Timed(load(None, {}), str(tmp_path / "hub.sqlite"), providers, clock=clock)) as hub:
        embedded.feed(hub, EVENTS, clock)
        embedded.check(hub, providers, NAMES)
        again = EffectOrder(
            effect="x", key="x", kind=EffectKind.REFUND, provider="ogone", merchant=MERCHANT, reference=payid(NAMES[3]),
            order=order(NAMES[3]), minor=REFUND, currency="EUR", last=False,
        )  # fmt: skip
        providers[MERCHANT].send(again, Deadline.within(1))

        with pytest.raises(AssertionError, match=NAMES[3]):
            embedded.check(hub, providers, NAMES)


def test_bad_messages_are_counted(tmp_path: Path) -> None:
    """So many are bad as are said to be; one more or less is no figure."""
    mixed = list(poison.poisoned(EVENTS, 1))
    dead, refused = poison.counted(len(EVENTS))
    assert len(mixed) == len(EVENTS) + dead + refused

    embedded.run(tmp_path / "right.sqlite", NAMES, mixed, bad=(dead, refused))
    for n, said in enumerate(((dead + 1, refused), (dead, refused + 1), (dead - 1, refused + 1))):
        with pytest.raises(AssertionError):
            embedded.run(tmp_path / f"wrong-{n}.sqlite", NAMES, mixed, bad=said)


# -- a provider's books ------------------------------------------------------------------------------------------------------------


def test_the_books_are_compared(tmp_path: Path) -> None:
    """Nothing refunded, all refunded, one refunded twice."""
    with Provider(tmp_path, NAMES) as provider:
        _, settings = configuration(tmp_path, provider.base_url, 2)
        with pytest.raises(AssertionError, match=f"{STAYS} payments"):
            provider.agrees(NAMES)
        effects.bare(provider, settings, NAMES, 2)
        provider.agrees(NAMES)
        assert provider.calls() == effects.CALLS * STAYS
        effects.bare(provider, settings, NAMES[:1], 1)

        with pytest.raises(AssertionError, match=payid(NAMES[0])):
            provider.agrees(NAMES)


def test_the_loop_makes_the_calls_of_the_connector(tmp_path: Path) -> None:
    """Both ask and send the same, in the same order: what the provider logged of one refund is equal but for the payment."""
    with Provider(tmp_path, NAMES[:2]) as provider:
        _, settings = configuration(tmp_path, provider.base_url, 1)
        effects.bare(provider, settings, NAMES[:1], 1)
        effects.live(provider, settings, tmp_path / "hub.sqlite", NAMES[1:2])
        logged = provider.logged()

    loop, hub = ([fields | {"PAYID": "-"} for fields in logged if fields["PAYID"] == payid(name)] for name in NAMES[:2])
    assert [(fields.get("PAYIDSUB"), fields.get("OPERATION")) for fields in loop] == [
        (None, None), ("0", None), ("1", None), (None, "RFD"),
    ]  # fmt: skip
    assert loop == hub


# -- waiting callers ---------------------------------------------------------------------------------------------------------------


class _Slow(BaseHTTPRequestHandler):
    """One at a time, a twentieth of a second each."""

    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.05)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"outcomes": [1]}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def slow() -> Iterator[Any]:
    """A server that does twenty a second."""
    server = HTTPServer(("127.0.0.1", 0), _Slow)
    server.socket.listen(128)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(host="127.0.0.1", port=server.server_address[1], key="k")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_slow_hub_is_charged_for_what_waits(slow: Any) -> None:
    """Forty messages within a fifth of a second take two seconds: the last has waited nearly as long, although it was answered within
    a twentieth of a second once its turn came."""
    answers = latency.send(slow, [b"{}"] * 40, per_second=200, seed=1)

    latency.check(answers)
    assert max(answer.answered - answer.due for answer in answers) > 1.2
    gaps = [later.due - before.due for before, later in pairwise(answers)]
    assert min(gaps) > 0
    assert max(gaps) > 3 * min(gaps)  # not one after the other at a beat


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(202, b'{"outcomes": [1]}', id="only durable"),
        pytest.param(200, b'{"outcomes": []}', id="decided, and nothing came of it"),
        pytest.param(400, b'{"code": "undecodable"}', id="not a message"),
    ],
)
def test_an_answer_is_an_outcome(status: int, body: bytes) -> None:
    with pytest.raises((AssertionError, KeyError)):
        latency.check([latency.Answered(0.0, 0.0, 1.0, status, body)])


@pytest.mark.parametrize(
    ("values", "of", "wanted"),
    [
        pytest.param([1.0], 50, 1.0, id="one"),
        pytest.param([1.0, 2.0], 50, 1.0, id="half of two"),
        pytest.param([float(n) for n in range(1, 101)], 99, 99.0, id="99 of a hundred"),
        pytest.param([float(n) for n in range(1, 1001)], 99, 990.0, id="990 of a thousand"),
        pytest.param([float(n) for n in range(1, 11)], 99, 10.0, id="of ten it is the last"),
    ],
)
def test_percentiles(values: Sequence[float], of: int, wanted: float) -> None:
    assert latency.percentile(values, of) == wanted


# -- documents ---------------------------------------------------------------------------------------------------------------------


def _other(path: Callable[[dict[str, Any]], tuple[Any, Any]], value: object) -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        holder, name = path(told)
        holder[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_other(lambda told: (told["rooms"][0], "AmountAfterTax"), "298"), id="the price"),
        pytest.param(_other(lambda told: (told["rooms"][0], "Start"), "2012-01-02"), id="the arrival"),
        pytest.param(_other(lambda told: (told, "email"), "x@example.org"), id="the e-mail"),
        pytest.param(_other(lambda told: (told, "country"), "FR"), id="the country"),
        pytest.param(_other(lambda told: (told, "cards"), 0), id="the card"),
        pytest.param(_other(lambda told: (told, "ids"), [("14", "other", None)]), id="the reservation"),
    ],
)
def test_both_readings_are_compared(change: Callable[[dict[str, Any]], None]) -> None:
    (body,) = ota.bodies(1, 1)
    told = ota.bare(body)
    ota.check(ota.read(body), told)
    change(told)

    with pytest.raises(AssertionError):
        ota.check(ota.read(body), told)


# -- a long day --------------------------------------------------------------------------------------------------------------------


def test_a_season_is_whole() -> None:
    """Each stay's messages in their order, nothing twice, one stay in ten cancelled."""
    names = ids(5000, 1)
    steps = list(soak.season(names, 10_000))

    assert len(set(steps)) == len(steps) == 10_000
    counts = Counter(step for step, _ in steps)
    assert counts[0] > counts[1] > counts[2] > 9 * counts[3]
    assert {names.index(name) % soak.ONE_IN for step, name in steps if step == 3} == {0}
    seen: dict[str, int] = {}
    for step, name in steps:
        assert seen.get(name, -1) == step - 1
        seen[name] = step


def test_tenths() -> None:
    """Between two points on a straight line; who looks at the memory after a tenth has seen what it took."""
    points = [(0.0, 0), (1.0, 50), (3.0, 100)]
    assert soak.crossed(points, 100) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.4, 1.8, 2.2, 2.6, 3.0])

    looks = [soak.Look(0.3, 15, 40.0, 2.0), soak.Look(0.4, 20, 50.0, 2.0), soak.Look(2.9, 100, 60.0, 1.0)]
    assert (soak.tenth(looks, 100, 1).mb, soak.tenth(looks, 100, 9).mb) == (52.0, 61.0)
    assert soak.tenth(looks, 100, 5).mb == 61.0
    with pytest.raises(AssertionError, match="tenth 6"):
        soak.tenth(looks[:2], 100, 5)
