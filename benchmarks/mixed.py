"""A day of all families, bookings, payments, vouchers, balances, cancellations and notices, against booking and payment alone.

Both have the same policy, which asks for balances and wants notices of every kind. The same two messages are measured without the
notices, and without balances too, for what the policy costs. No mail leaves: notices are decided, told and wait.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.embedded import NOW, Timed, feed
from benchmarks.measured import pragmas
from benchmarks.messages import MERCHANT, TENANT, ids, order, payid
from benchmarks.setting import Figures, Setting
from config.loader import load
from config.settings import Configuration
from connectors.psp.accepting import AcceptingProviders
from engine import ledger_check
from engine.clock import ManualClock, instant
from engine.transport.contract import Taken
from schemas.notice import NoticeKind
from schemas.payment import Tender
from schemas.policy import BalancePolicy

PRICE: Final = 20_000  # minor units of every stay
DEPOSIT: Final = PRICE // 2
_METHODS: Final = (Tender.CARD, Tender.BANK_TRANSFER)
_BALANCE: Final = BalancePolicy(due_days=14, methods=_METHODS)
_TODAY: Final[date] = instant(NOW).date()
_encode = msgspec.json.Encoder().encode


class Stay(NamedTuple):
    """One way through the day: so many of a hundred stays, what is said of each in its order, and what must have been told of it."""

    of_a_hundred: int
    said: Sequence[str]
    told: Mapping[str, int]


_ASKED: Final = {"balance.scheduled": 1, "balance.sent": 1, "balance.replied": 1, "balance.paid": 1}
_GONE: Final = {"cancellation.confirmed": 1, "refund.executed": 1}
DAY: Final[Mapping[str, Stay]] = {
    "paid at once": Stay(40, ("book", "pay"), {}),
    "asked, and pays": Stay(26, ("book split", "pay deposit", "choose", "pay balance"), _ASKED),
    "asked, the merchant has it": Stay(8, ("book split", "pay deposit", "choose", "collected"), _ASKED),
    "asked, it fails, and pays": Stay(
        3,
        ("book split", "pay deposit", "choose", "fails", "choose again", "pay balance"),
        {**_ASKED, "balance.replied": 2, "balance.disfunction": 1},
    ),
    "with a voucher": Stay(
        8,
        ("request", "enter", "pay rest", "check"),
        {"voucher.check_requested": 1, "voucher.consumed": 1, "booking.accepted": 1},
    ),
    "cancelled, and refunded": Stay(12, ("book", "pay", "ask", "confirm"), {**_GONE, "cancellation.quoted": 1}),
    "cancelled for a voucher": Stay(3, ("book", "pay", "with voucher"), {**_GONE, "voucher.issued": 1}),
}
"""Of a hundred bookings 37 are asked for a balance and pay it, 8 bring a voucher, 15 are cancelled: 323 messages, of which 229 are
bookings and payments. Each booking is written about, and so is each of the 12 refunds and 15 cancellations."""
ALONE: Final[Mapping[str, Stay]] = {"paid at once": Stay(100, ("book", "pay"), {})}


class Planned(NamedTuple):
    """The stays of one run by name, and their messages, each stay's in their order, `lag` stays apart."""

    stays: Sequence[tuple[str, Stay]]
    events: Sequence[bytes]


def planned(ways: Mapping[str, Stay], names: Sequence[str], lag: int) -> Planned:
    """These names as stays, the ways evenly spread over them."""
    deck = [way for way in ways.values() for _ in range(way.of_a_hundred)]
    stays = [(name, deck[37 * place % len(deck)]) for place, name in enumerate(names)]
    return Planned(stays, list(_stream(stays, lag)))


def _stream(stays: Sequence[tuple[str, Stay]], lag: int) -> Iterator[bytes]:
    most = max(len(way.said) for _, way in stays)
    for place in range(len(stays) + most * lag):
        for step in range(most):
            stay = place - step * lag
            if 0 <= stay < len(stays) and step < len(stays[stay][1].said):
                name, way = stays[stay]
                yield message(name, way.said[step])


def message(name: str, what: str) -> bytes:
    """One message of a stay."""
    type_, data = SAID[what.partition(" again")[0]]
    known = {"folio": f"B-{name}"} if type_ not in ("payment.received",) else {"references": [_by_order(name)]}
    body = {"actor": {"kind": _ACTORS.get(type_, "system"), "id": "a-1"}, **known, **data}
    if type_ == "payment.received":
        deposit = what != "pay balance"
        body |= {"payment": f"{what[4:]}-{name}", "provider_reference": payid(name) + "b" * (not deposit), "order": order(name)}
    if type_.startswith("voucher."):
        body["number"] = f"M-{name}"
    if type_ in ("booking.confirmed", "booking.requested"):
        body |= {"references": [{"namespace": "pms:thais", "value": name}, _by_order(name)], "guest": _guest(name)}
    return _encode(
        {
            "specversion": "1.0", "id": f"{what}-{name}", "source": "pms.thais", "type": f"foliohub.{type_}.v1",
            "time": f"{_TODAY}T08:00:00Z", "tenant": TENANT, "datacontenttype": "application/json", "data": body,
        }
    )  # fmt: skip


def _by_order(name: str) -> dict[str, str]:
    return {"namespace": "ogone:azur:order", "value": order(name)}


def _guest(name: str) -> dict[str, str]:
    return {"person": f"p-{name}", "name": "Camille Exemple", "email": "camille@example.org"}


def _booked(plan: str) -> dict[str, Any]:
    """Twenty days before the arrival: the deadline is in six, and the mail goes at once (S1-9)."""
    dates = {"arrival": _TODAY + timedelta(days=20), "departure": _TODAY + timedelta(days=27)}
    line = {"trade": "outdoor", "accommodation_type": "pitch", "terms": "outdoor/flexible", **dates}
    first = {"line": "1", "price": PRICE - 8_000, "accommodation": "pitch-12", **line}
    second = {"line": "2", "kind": "service", "price": 8_000, **line}
    known = {"revision": 1, "property": "camp-azur", "channel": "web", "currency": "EUR", "language": "fr"}
    return {**known, "payment_plan": plan, "lines": [first, second]}


def _paid(amount: int) -> dict[str, Any]:
    return {"tender": "card", "amount": amount, "currency": "EUR", "provider": "ogone", "merchant": MERCHANT}


_ACTORS: Final = {"balance.choose_method": "guest", "balance.report_collected": "merchant", "balance.report_disfunction": "merchant",
                  "voucher.enter": "guest", "voucher.check": "merchant", "cancellation.request": "guest",
                  "cancellation.confirm": "guest", "booking.cancel_with_voucher": "merchant"}  # fmt: skip
SAID: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "book": ("booking.confirmed", _booked("full")),
    "book split": ("booking.confirmed", _booked("split")),
    "request": ("booking.requested", _booked("full")),
    "pay": ("payment.received", _paid(PRICE)),
    "pay deposit": ("payment.received", _paid(DEPOSIT)),
    "pay balance": ("payment.received", _paid(PRICE - DEPOSIT)),
    "pay rest": ("payment.received", _paid(PRICE - 8_000)),
    "choose": ("balance.choose_method", {"method": "card"}),
    "collected": ("balance.report_collected", {}),
    "fails": ("balance.report_disfunction", {"reason": "insufficient_funds"}),
    "enter": ("voucher.enter", {"amount": 8_000}),
    "check": ("voucher.check", {"verdict": "accepted"}),
    "ask": ("cancellation.request", {"request": "C-1"}),
    "confirm": ("cancellation.confirm", {"request": "C-1"}),
    "with voucher": ("booking.cancel_with_voucher", {}),
}


class Policy(NamedTuple):
    """What the house wants: balances asked for, notices of every kind."""

    asks: bool
    writes: bool


PLAIN: Final = Policy(asks=False, writes=False)
ASKS: Final = Policy(asks=True, writes=False)
WHOLE: Final = Policy(asks=True, writes=True)


def configured(policy: Policy) -> Configuration:
    """The shipped house under this policy."""
    shipped = load(None, {})
    if policy == PLAIN:
        return shipped
    camp = msgspec.structs.replace(
        shipped.properties["camp-azur"],
        version=f"camp-azur/{'whole' if policy.writes else 'asks'}",
        payment_methods=_METHODS,
        balance=_BALANCE,
        notices=tuple(NoticeKind) if policy.writes else (),
    )
    return msgspec.structs.replace(shipped, properties={"camp-azur": camp})


def run(path: Path, plan: Planned, policy: Policy) -> float:
    """Messages a second of one run, timed from the first durable append to the last outcome stored; then everything is counted."""
    clock = ManualClock(NOW)
    hub = Timed(configured(policy), str(path), AcceptingProviders(), clock=clock)
    with closing(hub):
        gc.collect()
        taken = feed(hub, plan.events, clock)
        seconds = hub.parts["append"] + hub.parts["drain"]
        with hub.database.write() as connection:
            pragmas(connection)
        assert taken == Counter({Taken.ACCEPTED: len(plan.events)}), taken
        check(hub, plan)
    return len(plan.events) / seconds


def check(hub: Timed, plan: Planned) -> None:
    """Everything was decided, every stay came as far as its way goes, and the book is true; else there is no figure."""
    results = {row["result"] for row in hub.reading.rows("SELECT DISTINCT result FROM decision")}
    assert results <= {"decided", "forwarded"}, results
    told = {row["name"]: row["n"] for row in hub.reading.rows("SELECT name, count(*) AS n FROM outbox GROUP BY 1")}
    wanted: Counter[str] = Counter({"booking.accepted": len(plan.stays)})
    for _, way in plan.stays:
        wanted.update(way.told)
    assert {name: told.get(name, 0) for name in wanted} == wanted, told
    assert not [name for name in told if name.endswith(".refused")], told
    unsettled = hub.reading.unsettled()
    assert unsettled == {**unsettled, "dead_letters": 0, "blocked": 0, "parked": 0}, unsettled
    book = ledger_check.check(hub.database)
    assert book.true, book.findings


def measure(setting: Setting) -> Figures:
    """`mixed_day_ratio` and what the policy costs booking and payment: in every round each of those three, the day, and them again."""
    days, rates = [], {policy: list[float]() for policy in (WHOLE, PLAIN, ASKS)}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as name:  # what is loaded at its first use is loaded now
        run(Path(name) / "warm.sqlite", planned(DAY, ids(100, -1), 10), WHOLE)
    for number in range(setting.runs):
        names = ids(setting.mixed_stays, setting.seed + number)
        day, alone = planned(DAY, names, setting.lag), planned(ALONE, names, setting.lag)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as name:
            before = {policy: run(Path(name) / f"{place}.sqlite", alone, policy) for place, policy in enumerate(rates)}
            days.append(run(Path(name) / "day.sqlite", day, WHOLE))
            after = {policy: run(Path(name) / f"{place}-again.sqlite", alone, policy) for place, policy in enumerate(rates)}
        for policy, found in rates.items():
            found.append(statistics.mean((before[policy], after[policy])))
        whole, plain, asks = (found[-1] for found in rates.values())
        setting.say(
            f"round {number + 1}: booking and payment {whole:,.0f}/s, without notices {asks:,.0f}/s, without balances too"
            f" {plain:,.0f}/s; the day {days[-1]:,.0f}/s of {len(day.events):,}; {days[-1] / whole:.3f}"
        )
    return {
        "mixed_day_ratio": _ratio(days, rates[WHOLE]),
        "mixed_day_plain_ratio": _ratio(days, rates[PLAIN]),
        "balances_on_ratio": _ratio(rates[ASKS], rates[PLAIN]),
        "notices_on_ratio": _ratio(rates[WHOLE], rates[ASKS]),
        "mixed_day_per_s": round(statistics.median(days)),
        "mixed_alone_per_s": round(statistics.median(rates[WHOLE])),
        "mixed_plain_per_s": round(statistics.median(rates[PLAIN])),
    }


def _ratio(some: Sequence[float], others: Sequence[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(some, others, strict=True)), 3)
