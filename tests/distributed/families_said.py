"""What guests, merchants and systems say in stays of all families: bookings that are asked for their balance, vouchers, cancellations,
disputes. Each story is said in steps; the next one when the one before has come to what it must."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from benchmarks.messages import TENANT
from schemas.voucher_code import code_of

PRICES: Final = (12_000, 8_000)
FEE: Final = 500
DEPOSIT: Final = 6_000 + 8_000 + FEE  # half of what is flexible, all of what is not, and the fee
TOTAL: Final = sum(PRICES) + FEE
REST: Final = TOTAL - DEPOSIT
SOON: Final = 20  # days until the arrival: the balance's mail is due already when it is booked
LATER: Final = 40


class Said(NamedTuple):
    """One message."""

    name: str
    data: Mapping[str, Any]
    actor: str = "system"

    def event(self, id_: str) -> bytes:
        """As a CloudEvent."""
        return json.dumps({
            "specversion": "1.0", "id": id_, "source": "pms.thais", "type": f"foliohub.{self.name}.v1", "tenant": TENANT,
            "datacontenttype": "application/json", "data": {"actor": {"kind": self.actor, "id": f"{self.actor}-1"}, **self.data},
        }).encode()  # fmt: skip


class Story(NamedTuple):
    """What is said of a stay, `folio`, in steps; `cards`: what its cards have paid at the provider, by order."""

    kind: str
    stay: str
    folios: tuple[str, ...]
    steps: tuple[tuple[Said, ...], ...]
    cards: Mapping[str, int]

    def events(self, step: int) -> list[tuple[str, bytes]]:
        """The messages of a step, each with its id."""
        said = self.steps[step]
        return [(f"{self.stay}-{step}-{number}", one.event(f"{self.stay}-{step}-{number}")) for number, one in enumerate(said)]


def payid(order: str) -> str:
    """What the provider calls the payment of an order."""
    return f"31{blake2b(order.encode(), digest_size=6).hexdigest()}"


class _Stay:
    """One booking file in the words of those who speak of it."""

    def __init__(self, stay: str, today: date) -> None:
        self.stay, self.today, self.folio = stay, today, f"F-{stay}"
        self.cards: dict[str, int] = {}

    def say(self, name: str, actor: str = "system", **data: Any) -> Said:
        return Said(name, {"folio": self.folio, **data}, actor)

    def booked(self, ahead: int = SOON) -> Said:
        arrives = self.today + timedelta(days=ahead)
        dates = {"arrival": str(arrives), "departure": str(arrives + timedelta(days=7)), "trade": "outdoor", "vat_rate": "10 %"}
        return self.say(
            "booking.confirmed", property="camp-azur", currency="EUR", revision=1, payment_plan="split", service_fee=FEE,
            language="fr", guest={"person": f"p-{self.stay}", "name": "Camille Exemple", "email": "camille@example.org"},
            lines=[
                {"line": "1", "price": PRICES[0], "terms": "outdoor/flexible", "accommodation": "pitch-12", **dates},
                {"line": "2", "kind": "service", "price": PRICES[1], "terms": "outdoor/nanr", **dates},
            ],
        )  # fmt: skip

    def paid(self, number: int, amount: int, tender: str = "cash") -> Said:
        order = f"{self.stay}-{number}"
        more: dict[str, Any] = {}
        if tender == "card":
            self.cards[order] = amount
            more = {"provider": "ogone", "merchant": "azur", "provider_reference": payid(order), "order": order}
        return self.say("payment.received", payment=f"P-{order}", amount=amount, currency="EUR", tender=tender, **more)

    def voucher(self, number: str, amount: int) -> tuple[Said, Said]:
        entered = self.say("voucher.enter", "guest", number=number, amount=amount)
        return entered, self.say("voucher.check", "merchant", number=number, verdict="accepted")

    def told(self, kind: str, *steps: Sequence[Said], folios: Sequence[str] = ()) -> Story:
        return Story(kind, self.stay, tuple(folios) or (self.folio,), tuple(map(tuple, steps)), self.cards)


def _collected(stay: _Stay) -> Story:
    """Asked, answered, and told twice as collected: by the merchant and by the bank."""
    reported = stay.say("balance.report_collected", "merchant", payment=f"P-{stay.stay}-2")
    return stay.told(
        "collected", [stay.booked()], [stay.paid(1, DEPOSIT, "card")],
        [stay.say("balance.choose_method", "guest", method="bank_transfer")], [reported], [stay.paid(2, REST, "bank_transfer")],
    )  # fmt: skip


def _disfunction(stay: _Stay) -> Story:
    """A deposit, the money before its booking; the first attempt fails, the second one pays."""
    choose = stay.say("balance.choose_method", "guest", method="cheque")
    return stay.told(
        "disfunction", [stay.paid(1, DEPOSIT, "cash")], [stay.booked()], [choose],
        [stay.say("balance.report_disfunction", "merchant", reason="insufficient_funds")],
        [stay.say("balance.choose_method", "guest", method="bank_transfer")], [stay.paid(2, REST, "bank_transfer")],
    )  # fmt: skip


def _vouchers(stay: _Stay) -> Story:
    """A code of others pays a part, money the rest of the deposit; the check comes before its voucher."""
    entered, checked = stay.voucher(f"MER-{stay.stay}", 5_000)
    return stay.told(
        "vouchers", [stay.booked()], [checked], [entered], [stay.paid(1, DEPOSIT - 5_000, "cash")],
        [stay.say("balance.choose_method", "guest", method="cheque")], [stay.say("booking.cancelled", revision=2, refund="full")],
    )  # fmt: skip


def _issued(stay: _Stay) -> Story:
    """Cancelled for a voucher, which pays another stay, and what is left of it a third one in part."""
    code = code_of(blake2b(stay.stay.encode(), digest_size=16).digest())
    cancel = stay.say("booking.cancel_with_voucher", "merchant", number=code, value_rule="collected")
    other, third = _Stay(f"{stay.stay}b", stay.today), _Stay(f"{stay.stay}c", stay.today)
    return stay.told(
        "issued", [stay.booked()], [stay.paid(1, TOTAL, "card")], [cancel],
        [other.booked()], other.voucher(code, DEPOSIT), [third.booked()], third.voucher(code, 1_000),
        [third.say("booking.cancelled", revision=2, refund="full")],
        folios=(stay.folio, other.folio, third.folio),
    )  # fmt: skip


def _cancelled(stay: _Stay) -> Story:
    """Cancelled by the guest while the balance is asked for: money goes back to the card."""
    cancel = stay.say("cancellation.request", "guest", request=f"C-{stay.stay}", confirm=True)
    return stay.told("cancelled", [stay.booked()], [stay.paid(1, DEPOSIT, "card")], [cancel])


def _operators(stay: _Stay) -> Story:
    """Another amount, suspended, cancelled, asked for anew and sent at once, cancelled by the system of record."""
    until = str(stay.today + timedelta(days=9))
    acts = (("set_amount", {"amount": 1_000}), ("suspend", {"until": until}), ("cancel", {}), ("recreate", {}), ("send_now", {}))
    said = [[stay.say(f"balance.{name}", "operator", **data)] for name, data in acts]
    gone = stay.say("booking.cancelled", revision=2, refund="full")
    return stay.told("operators", [stay.booked(LATER)], [stay.paid(1, DEPOSIT, "card")], *said, [gone])


def _disputed(stay: _Stay) -> Story:
    """Contested and lost: what was paid is owed again."""
    about = {"payment": f"P-{stay.stay}-1", "amount": DEPOSIT, "dispute": "D-1"}
    return stay.told(
        "disputed", [stay.booked()], [stay.paid(1, DEPOSIT, "bank_transfer")],
        [stay.say("dispute.closed", **about, outcome="lost")], [stay.say("dispute.opened", **about, funds_taken=True)],
    )  # fmt: skip


KINDS: Final[Sequence[Callable[[_Stay], Story]]] = (
    _collected, _disfunction, _vouchers, _issued, _cancelled, _operators, _disputed,
)  # fmt: skip


def stories(names: Sequence[str], today: date) -> list[Story]:
    """One of each kind in turn."""
    return [KINDS[number % len(KINDS)](_Stay(name, today)) for number, name in enumerate(names)]
