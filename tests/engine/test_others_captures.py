"""Captures and releases of one payment by us and by others: each counts once, and nobody's card is charged twice (X-1, X-3, X-6, X-17)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from msgspec.structs import replace

from connectors.psp.contract import Deadline
from handlers import account
from schemas.effect import EffectOrder, Reply, Result
from tests.engine.sandbox import Sandbox, arrival, booking, names
from tests.engine.test_provider_news import BACK, HOUR, MAINTENANCE, authorised, true

UNASKABLE = {"when": {"endpoint": "query", "call": 1}, "status": "88"}
TRANSFER = {"folio": "B-1", "payment": "T", "currency": "EUR", "tender": "bank_transfer", "occurred_at": "2026-07-20T08:00:00Z"}


def half_kept(*rules: dict[str, Any]) -> tuple[Sandbox, str]:
    """An authorised stay of 200 that is cancelled the day before: we capture 100, and cannot do so at once by `rules`. The PAYID."""
    box = Sandbox(*rules)
    payid = authorised(box, provider_reference="3000000001")
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()
    return box, payid


def books(box: Sandbox, payid: str) -> tuple[int, int]:
    """What stands captured at the provider, and what the folio says."""
    operations = [one for one in box.operations(payid) if one[0] in ("SAL", "SAS") and one[2] == "9"]
    payment = box.folio().payments[0]
    return sum(minor for _, minor, _ in operations), payment.captured - payment.reversed


@pytest.mark.parametrize(
    ("taken", "sent", "collected", "owed"),
    [
        ((10_000,), [], 10_000, 0),
        ((12_000,), [], 12_000, 0),
        ((4_000,), [], 4_000, 6_000),
        ((4_000, 6_000), [], 10_000, 6_000),
        ((), [("SAS", 10_000, "9")], 10_000, 0),
    ],
)
def test_x_17_what_was_captured_elsewhere_is_not_captured_again(
    taken: tuple[int, ...], sent: list[tuple[str, int, str]], collected: int, owed: int
) -> None:  # fmt: skip
    """While ours waits, the back office takes it, more, or a part: ours is withdrawn, and a person is told of what is owed then."""
    box, payid = half_kept(UNASKABLE)
    for minor in taken:
        box.provider.back_office(payid, "SAL", minor, box.now())

    outcomes = box.pass_time(HOUR)

    assert [one for one in box.operations(payid) if one[0] == "SAS"] == sent
    told = [data["amount"] for name, data in outcomes if name == "effect.needs_person"]
    assert (books(box, payid), sum(told[-1:])) == ((collected, collected), owed)
    assert true(box)


@pytest.mark.parametrize("taken", [(10_000, 10_000), (12_000, 8_000), (8_000, 12_000)])
def test_x_1_each_capture_by_others_counts_once(taken: tuple[int, int]) -> None:
    """Two in the back office, equal or not, each told by callbacks that come twice."""
    box = Sandbox()
    payid = authorised(box)
    for minor in taken:
        box.provider.back_office(payid, "SAL", minor, box.now())
        for _ in range(2):
            box.wait(60)
            box.say("provider.notified", {"provider": "ogone", "merchant": "azur", "order": "O-1", "status": "9"})

    assert books(box, payid) == (20_000, 20_000)
    assert true(box)


def test_x_1_a_capture_that_the_house_told_of_and_the_provider_shows_is_one() -> None:
    """The PMS captures in its own back office and says so; the provider's history is the same money, the next record is not."""
    box = Sandbox()
    payid = authorised(box)
    box.provider.back_office(payid, "SAL", 10_000, box.now())
    box.say("payment.received", {**BACK, "payment": "P-1", "amount": 10_000, "provider_reference": payid, "status": "9"})
    box.notified(payid, "9")
    assert books(box, payid) == (10_000, 10_000)

    box.wait(60)
    box.provider.back_office(payid, "SAL", 10_000, box.now())
    box.notified(payid, "9")

    assert books(box, payid) == (20_000, 20_000)
    assert true(box)


def test_x_1_our_own_capture_that_the_house_tells_of_first_is_one() -> None:
    """Its answer is lost; the PMS sees it at the provider and says so before we have asked."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence"})
    box.say("payment.received", {**BACK, "payment": "P-1", "amount": 10_000, "provider_reference": payid, "status": "9"})

    outcomes = box.pass_time(HOUR)

    assert (books(box, payid), box.effect()["state"]) == ((10_000, 10_000), "confirmed")
    assert "effect.needs_person" not in names(outcomes)
    assert true(box)


@pytest.mark.parametrize("told_first", [False, True])
def test_x_17_what_is_captured_beside_ours_is_given_back(told_first: bool) -> None:
    """Ours is made late, another one in the back office before it, which the PMS tells or not, and both stand: the rest goes back."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence", "act": "after", "act_after_s": 60})
    box.provider.back_office(payid, "SAL", 4_000, box.now())
    box.pass_time(HOUR)
    effect = box.effect()
    assert (effect["state"], box.folio().payments[0].captured) == ("needs_person", 0)

    theirs = {**BACK, "payment": "P-1", "amount": 4_000, "status": "9"}
    done = {"subject": effect["id"], "result": "confirmed", "reason": "seen", "provider_record": f"{payid}/2"}
    outcomes = box.say("payment.received", theirs) if told_first else []
    outcomes += box.say("effect.settle", done, actor="operator") + box.notified(payid, "9")

    assert books(box, payid) == (14_000, 14_000)
    assert sum(data["amount"] for name, data in outcomes if name == "payment.captured") == 14_000
    assert sum(data["amount"] for name, data in outcomes if name == "refund.requested") == 4_000
    assert true(box)


def test_x_6_a_capture_that_a_person_said_was_done_is_the_one_that_is_shown_later() -> None:
    """Without its number: the record that shows itself afterwards is it, and the next one is another."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence", "act": "never"})
    done = {"subject": box.effect()["id"], "result": "confirmed", "reason": "seen"}
    box.say("effect.settle", done, actor="operator")
    assert box.folio().payments[0].captured == 10_000

    for minor, captured in ((10_000, 10_000), (3_000, 13_000)):
        box.provider.back_office(payid, "SAL", minor, box.now())
        box.wait(60)
        box.notified(payid, "9")
        assert books(box, payid) == (captured, captured)
    assert true(box)


def test_a_capture_of_others_that_is_refused_undoes_nothing() -> None:
    """The authorisation stands, and what was captured before."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.provider.back_office(payid, "SAL", 5_000, box.now(), status="93")
    assert names(box.notified(payid, "93")) == []
    assert box.folio().payments[0].status.value == "authorised"

    box.wait(60)
    box.provider.back_office(payid, "SAL", 6_000, box.now())
    box.provider.back_office(payid, "SAL", 5_000, box.now(), status="93")
    box.notified(payid, "9")

    assert books(box, payid) == (6_000, 6_000)
    assert true(box)


def test_x_3_nothing_of_a_refused_capture_is_above_its_authorisation() -> None:
    """The house tells of a capture of 100 and that it failed; the provider shows it as one of 120, refused: nobody has to look."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.say("payment.received", {**BACK, "payment": "P-1", "amount": 10_000, "provider_reference": payid, "status": "9"})
    box.say("payment.reversed", {**BACK, "payment": "P-1", "amount": 10_000})
    box.provider.back_office(payid, "SAL", 12_000, box.now(), status="93")

    assert names(box.notified(payid, "93")) == []
    assert box.folio().payments[0].reversed == 10_000
    assert true(box)


def test_a_charge_back_that_is_told_before_the_payment_is_shown_stays() -> None:
    """The provider goes on showing the sale that its bank took back: its record is no money again."""
    box = Sandbox()
    payid = box.paid()
    box.say("payment.reversed", {**BACK, "amount": 20_000})

    box.notified(payid, "9")

    payment = box.folio().payments[0]
    assert (payment.captured, payment.reversed, payment.status.value) == (20_000, 20_000, "reversed")
    assert true(box)


def test_x_17_a_refused_void_that_is_done_after_all_is_told() -> None:
    """63, then 6, then 63: nothing is held, and then it is again; a person hears of the turn that costs the guest."""
    box = Sandbox({"when": MAINTENANCE, "status": "63"})
    payid = authorised(box, provider_reference="3000000001")
    assert "effect.needs_person" in names(box.cancel())
    box.wait(HOUR)
    box.notified(payid, "63")

    box.provider.settle(payid, 1, "6", box.now())
    assert "payment.voided" in names(box.notified(payid, "6"))
    assert box.folio().payments[0].status.value == "voided"

    box.wait(HOUR)
    box.provider.settle(payid, 1, "63", box.now())
    assert "effect.needs_person" in names(box.notified(payid, "63"))
    assert box.folio().payments[0].status.value == "authorised"
    assert true(box)


# -- what we had planned ------------------------------------------------------------------------------------------------------------


def wire(box: Sandbox) -> list[str]:
    """The operations that we have asked for, in order."""
    return [one["fields"]["OPERATION"] for one in box.provider.books.requests() if one["endpoint"] == "maintenance"]


@pytest.mark.parametrize("rules", [(), (UNASKABLE,)])
@pytest.mark.parametrize("taken", [20_000, 8_000])
def test_x_17_a_release_is_withdrawn_when_others_have_captured(taken: int, rules: tuple[dict[str, Any], ...]) -> None:
    """It would undo their capture: what they took is given back instead, and nothing else goes out."""
    box = Sandbox(*rules)
    payid = authorised(box, provider_reference="3000000001")
    if not rules:
        box.provider.back_office(payid, "SAL", taken, box.now())
    box.cancel()
    if rules:
        box.provider.back_office(payid, "SAL", taken, box.now())
    outcomes = box.pass_time(48 * HOUR)

    unreleased = [data["amount"] for name, data in outcomes if name == "effect.needs_person"]
    assert unreleased == ([20_000 - taken] if rules and taken < 20_000 else [])
    assert [one for one in box.operations(payid) if one[0] not in ("SAL", "SAS")] == [("RFS", taken, "8")]
    payment = box.folio().payments[0]
    assert (payment.captured, payment.refunded, payment.refunding) == (taken, taken, 0)
    assert true(box)


def test_a_message_and_a_cancellation_in_one_chunk() -> None:
    """Decided together or apart, the same comes of it: our capture is withdrawn."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.until("2026-07-22T08:00:00+00:00")
    box.provider.back_office(payid, "SAL", 10_000, box.now())
    paid = {
        **BACK,
        "payment": "P-1",
        "amount": 10_000,
        "provider_reference": payid,
        "status": "9",
        "occurred_at": "2026-07-22T07:00:00Z",
    }
    box.append(
        arrival("c", "cancellation.request", {"folio": "B-1", "request": "C", "confirm": True}, actor="guest"),
        arrival("p", "payment.received", paid),
    )
    box.pass_time(HOUR)

    assert (books(box, payid), [one[0] for one in box.operations(payid)]) == ((10_000, 10_000), ["SAL"])
    assert true(box)


def test_x_17_other_money_makes_a_planned_capture_needless() -> None:
    """A transfer from before the cancellation covers what is owed: the card is not charged, and its authorisation is released."""
    box, payid = half_kept(UNASKABLE)
    box.say("payment.received", {**TRANSFER, "amount": 10_000})

    box.pass_time(HOUR)

    assert box.operations(payid) == [("DES", 20_000, "6")]
    assert (box.folio().payments[0].status.value, box.folio().effects) == ("voided", ())
    assert true(box)


DOUBTED = {"when": {**MAINTENANCE, "call": 1}, "answer": "silence", "act": "after", "act_after_s": 60}


@pytest.mark.parametrize("rules", [UNASKABLE, DOUBTED], ids=["planned", "in doubt"])
def test_x_17_what_a_capture_under_way_will_bring_is_taken_from_no_other_card(rules: dict[str, Any]) -> None:
    """Two cards, 100 kept: the second authorisation is told after the cancellation, while the first card is being charged."""
    box = Sandbox(rules)
    authorised(box, provider_reference="3000000001")
    second = box.provider.create("O-2", 20_000, "EUR", box.now(), operation="RES", callback=False)
    late = {**BACK, "payment": "P-2", "amount": 20_000, "order": "O-2", "provider_reference": second}
    occurred_at = box.now().isoformat()
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()

    box.say("payment.authorised", {**late, "occurred_at": occurred_at})
    box.pass_time(48 * HOUR)

    assert [payment.captured for payment in box.folio().payments] == [10_000, 0]
    assert box.operations(second) == [("DES", 20_000, "6")]
    assert true(box)


def test_x_16_late_money_covers_what_was_waived_beside_what_is_being_captured() -> None:
    """50 authorised of 100 kept: 50 are to be captured and 50 waived. A transfer of 50 from before the cancellation: both are kept."""
    box = Sandbox(UNASKABLE)
    box.say("booking.confirmed", booking())
    payid = box.provider.create("O-1", 5_000, "EUR", box.now(), operation="RES", callback=False)
    box.say("payment.authorised", {**BACK, "payment": "P-1", "amount": 5_000, "provider_reference": payid})
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()

    box.say("payment.received", {**TRANSFER, "amount": 5_000})
    box.pass_time(48 * HOUR)

    folio = box.folio()
    assert (account.collected(folio), folio.waived, account.balance(folio)) == (10_000, 0, 0)
    assert box.operations(payid) == [("SAS", 5_000, "9")]
    assert true(box)


def test_s4_34_a_late_authorisation_covers_only_what_was_given_up_after_it() -> None:
    """Nothing is paid: 50 of each line are given up, one after the other; a card that was authorised in between covers the latter."""
    box = Sandbox()
    (line,) = booking(price=10_000)["lines"]
    box.say("booking.confirmed", {**booking(price=10_000), "lines": [line, {**line, "line": "2"}]})
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel(request="C-1", lines=[{"line": "1"}])
    box.wait(60)
    said = {"amount": 20_000, "provider_reference": "3000000001", "order": "O-1", "occurred_at": box.now().isoformat()}
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    box.wait(60)
    box.cancel(request="C-2", lines=[{"line": "2"}])
    assert box.folio().waived == 10_000

    box.say("payment.authorised", {**BACK, "payment": "P-1", **said})
    box.pass_time(HOUR)

    assert (box.operations(payid), box.folio().waived) == ([("SAS", 5_000, "9")], 5_000)
    assert true(box)


@pytest.mark.parametrize("told", [False, True])
def test_x_17_a_release_of_money_without_a_home_is_withdrawn_when_others_have_captured(told: bool) -> None:
    """Authorised after the cancellation, captured by the house while our release waits: it would undo their capture."""
    box = Sandbox(UNASKABLE)
    box.say("booking.confirmed", booking())
    box.wait(60)
    box.cancel()
    box.wait(60)
    payid = authorised_again(box)
    box.provider.back_office(payid, "SAL", 20_000, box.now())
    if told:
        box.say("payment.received", {**BACK, "payment": "P-1", "amount": 20_000, "provider_reference": payid, "status": "9"})

    box.pass_time(48 * HOUR)

    assert (wire(box), books(box, payid)) == ([], (20_000, 20_000))
    assert true(box)


def authorised_again(box: Sandbox) -> str:
    """200 more on the card of the booking; the PAYID."""
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    said = {**BACK, "payment": "P-1", "amount": 20_000, "order": "O-1", "provider_reference": payid}
    box.say("payment.authorised", said)
    return payid


@pytest.mark.parametrize("by", ["a message", "a callback"])
@pytest.mark.parametrize(
    ("day", "done"), [("2026-05-03", ("DES", 20_000, "6")), ("2026-07-22", ("SAS", 10_000, "9"))], ids=["free", "half kept"]
)
def test_x_17_an_authorisation_whose_name_comes_after_the_cancellation(by: str, day: str, done: tuple[str, int, str]) -> None:
    """Known by its order alone, it can neither be captured nor released; then its PAYID is told, or the provider shows it."""
    box = Sandbox()
    payid = authorised(box)
    box.until(f"{day}T08:00:00+00:00")
    box.cancel()
    assert wire(box) == []

    if by == "a message":
        box.say("payment.authorised", {**BACK, "payment": "P-1", "amount": 20_000, "order": "O-1", "provider_reference": payid})
    else:
        box.say("provider.notified", {"provider": "ogone", "merchant": "azur", "order": "O-1", "status": "5"})
    box.pass_time(48 * HOUR)

    assert box.operations(payid) == [done]
    assert account.balance(box.folio()) == 0
    assert true(box)


@pytest.mark.parametrize(("last", "released"), [("5", [("DES", 20_000, "6")]), ("2", [])])
def test_x_17_a_pending_authorisation_whose_end_only_the_provider_tells(last: str, released: list[tuple[str, int, str]]) -> None:
    """51 at the cancellation, then 5: released; or 2: nothing was ever held."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", status="51", callback=False)
    said = {**BACK, "payment": "P-1", "amount": 20_000, "order": "O-1", "provider_reference": payid, "status": "51"}
    box.say("payment.authorised", said)
    box.cancel()
    box.wait(600)
    box.provider.settle(payid, 0, last, box.now())

    box.notified(payid, last)
    box.pass_time(48 * HOUR)

    assert (box.folio().payments[0].status.value, box.operations(payid)) == ("voided", released)
    assert true(box)


class NeverLeaves:
    """A connector whose requests do not leave, and that lets something happen while the first one is on its way."""

    def __init__(self, inner: Any, meanwhile: Any) -> None:
        self._inner, self._meanwhile, self.merchant, self.name, self.can = inner, meanwhile, inner.merchant, inner.name, inner.can
        self.calls = 0

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        """Nothing is sent the first time."""
        self.calls += 1
        if self.calls > 1:
            reply: Reply = self._inner.send(order, deadline)
            return reply
        self._meanwhile()
        return Reply(result=Result.NOT_SENT, code="not_connected")

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
        """As it is."""
        reply: Reply = self._inner.query(reference, order, deadline)
        return reply


def test_x_17_what_never_left_is_not_sent_when_others_have_taken_it_meanwhile() -> None:
    """The house's word comes while ours is on its way; ours was not sent, and is not sent again."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.until("2026-07-22T08:00:00+00:00")
    paid = {
        **BACK,
        "payment": "P-1",
        "amount": 10_000,
        "provider_reference": payid,
        "status": "9",
        "occurred_at": "2026-07-22T07:00:00Z",
    }

    def meanwhile() -> None:
        box.provider.back_office(payid, "SAL", 10_000, box.now())
        box.append(arrival("p", "payment.received", paid))
        box.hub.run_lanes()

    connector = NeverLeaves(box.connector, meanwhile)
    box.connectors["azur"] = connector  # type: ignore[assignment]  # a connector, as far as it is asked
    box.cancel()
    box.pass_time(24 * HOUR)

    assert (connector.calls, [one[0] for one in box.operations(payid)]) == (1, ["SAL"])
    assert (books(box, payid), box.effect()["state"]) == ((10_000, 10_000), "refused")
    assert true(box)


@pytest.mark.parametrize("back", [20_000, 15_000])
def test_x_13_a_refund_that_never_left_is_not_sent_when_its_money_was_charged_back_meanwhile(back: int) -> None:
    """The charge back comes while ours is on its way; ours was not sent, and is not sent again: what is left goes back, and the balance
    that was told last is the folio's."""
    box = Sandbox()
    payid = box.paid()
    told: list[tuple[str, dict[str, Any]]] = []

    def meanwhile() -> None:
        box.append(arrival("back", "payment.reversed", {**BACK, "amount": back}))
        told.extend((row.name, msgspec.json.decode(row.body)) for row in box.hub.run_lanes().outbox)

    connector = NeverLeaves(box.connector, meanwhile)
    box.connectors["azur"] = connector  # type: ignore[assignment]  # a connector, as far as it is asked
    told += box.cancel() + box.pass_time(24 * HOUR)

    left = 20_000 - back
    assert box.operations(payid) == ([("RFD", left, "8")] if left else [])
    assert [row["state"] for row in box.rows("SELECT state FROM effect ORDER BY minor DESC")] == ["refused", "confirmed"][
        : 1 + bool(left)
    ]
    payment = box.folio().payments[0]
    assert (payment.refunding, payment.refunded, account.balance(box.folio())) == (0, left, 0)
    assert [data["balance"] for name, data in told if name == "folio.balance_changed"][-1] == 0
    assert true(box)


def test_x_17_a_capture_that_never_left_goes_once_more() -> None:
    """Nothing has happened meanwhile: it is still needed."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.until("2026-07-22T08:00:00+00:00")
    connector = NeverLeaves(box.connector, lambda: None)
    box.connectors["azur"] = connector  # type: ignore[assignment]  # a connector, as far as it is asked
    box.cancel()
    effect = box.effect()
    assert (effect["state"], box.results("reply.arrived")) == ("planned", ["decided"])

    box.pass_time(24 * HOUR)

    assert (connector.calls, [one[0] for one in box.operations(payid)]) == (2, ["SAS"])
    assert true(box)


class WithoutLevels:
    """The wire to an account that knows no PAYIDSUB: of each payment it shows the latest operation alone."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def post(self, url: str, body: bytes, **more: Any) -> Any:
        """As it is, without levels."""
        got = self._inner.post(url, body, **more)
        if "querydirect" not in url:
            return got
        if "PAYIDSUB" in parse_qs(body.decode()):
            return replace(got, body=b'<ncresponse orderID="O-1" PAYID="" NCSTATUS="5" NCERROR="50001130" STATUS="0"/>')
        return replace(got, body=re.sub(rb'PAYIDSUB="[^"]*"', b"", got.body))


def test_x_17_an_authorisation_that_is_shown_captured_in_its_own_place_is_not_released() -> None:
    """The provider shows 5 and then 9 at the same level: the house's 200 are collected, and go back by a refund."""
    box = Sandbox()
    box.connector._wire = WithoutLevels(box.connector._wire)  # type: ignore[assignment]  # a wire, as far as it is used
    payid = authorised(box, provider_reference="3000000001")
    box.notified(payid, "5")
    box.wait(60)
    box.provider.back_office(payid, "SAL", 20_000, box.now())
    box.notified(payid, "9")
    assert books(box, payid) == (20_000, 20_000)

    box.cancel()
    box.pass_time(HOUR)

    assert wire(box) == ["RFS"]
    assert true(box)


class WithoutAmounts:
    """A connector whose first histories show later operations without their amounts."""

    def __init__(self, inner: Any, first: int) -> None:
        self._inner, self._left, self.merchant, self.name, self.can = inner, first, inner.merchant, inner.name, inner.can

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        """As it is."""
        reply: Reply = self._inner.send(order, deadline)
        return reply

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
        """As it is, but for the amounts."""
        shown: Reply = self._inner.query(reference, order, deadline)
        self._left -= 1
        if self._left < 0:
            return shown
        return replace(shown, records=tuple(one if one.level == "0" else replace(one, minor=None) for one in shown.records))


def hidden(operation: str, first: int) -> tuple[Sandbox, str]:
    """A stay of 200, paid or authorised, of which the house gives back or captures 150; the PAYID."""
    box = Sandbox()
    payid = box.paid() if operation == "RFD" else authorised(box, provider_reference="3000000001")
    box.provider.back_office(payid, operation, 15_000, box.now())
    box.connectors["azur"] = WithoutAmounts(box.connector, first)  # type: ignore[assignment]  # a connector, as far as it is asked
    return box, payid


@pytest.mark.parametrize(
    ("operation", "told", "foreign", "refunded"),
    [("RFD", False, 15_000, 0), ("RFD", True, 15_000, 5_000), ("SAL", False, 0, 15_000), ("SAL", True, 0, 15_000)],
)
def test_x_3_what_is_shown_without_its_amount_counts_when_it_is_shown(
    operation: str, told: bool, foreign: int, refunded: int
) -> None:  # fmt: skip
    """By a callback or by the look before our own request, which waits: nothing goes out on top of it."""
    box, payid = hidden(operation, 2)
    if told:
        box.notified(payid)
        assert len(box.rows("SELECT * FROM payment_query")) == 1
        box.pass_time(HOUR)
    box.cancel()
    assert told or wire(box) == []
    box.pass_time(24 * HOUR)

    payment = box.folio().payments[0]
    assert (payment.foreign, payment.refunded, wire(box)) == (foreign, refunded, ["RFS"] if refunded else [])
    assert box.rows("SELECT * FROM payment_query") == []
    assert true(box)


@pytest.mark.parametrize("operation", ["RFD", "SAL"])
def test_x_3_what_is_never_shown_with_its_amount_is_for_a_person(operation: str) -> None:
    """Asked often enough: told once by the callback's asking, and our own request does not go out on top of it."""
    box, payid = hidden(operation, 1_000)
    outcomes = box.notified(payid) + box.pass_time(48 * HOUR)
    assert [data["effect"] for name, data in outcomes if name == "effect.needs_person"] == [f"{payid}/1"]
    assert box.rows("SELECT * FROM payment_query") == []

    outcomes = box.cancel() + box.pass_time(48 * HOUR)

    assert [data["effect"] for name, data in outcomes if name == "effect.needs_person"] == [box.effect()["id"]]
    assert (wire(box), box.effect()["state"]) == ([], "needs_person")
    assert true(box)


# -- whose money it is -------------------------------------------------------------------------------------------------------------


def paid_together(*rules: dict[str, Any]) -> tuple[Sandbox, str]:
    """One PAYID of 200, half for each of two bookings."""
    box = Sandbox(*rules)
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), callback=False)
    for number in "12":
        box.say("booking.confirmed", booking(f"B-{number}", price=10_000))
        paid = {
            **BACK,
            "folio": f"B-{number}",
            "payment": f"P-{number}",
            "amount": 10_000,
            "provider_reference": payid,
            "order": "O-1",
        }
        box.say("payment.received", paid)
    return box, payid


def test_a_sale_that_pays_two_bookings_is_not_counted_whole_for_one() -> None:
    """One PAYID of 200, half for each: a callback shows it, one booking is cancelled, and gets its own back."""
    box, payid = paid_together()
    box.notified(payid, "9")

    box.cancel("B-1")
    box.pass_time(HOUR)

    assert [minor for _, minor, _ in box.operations(payid)] == [10_000]
    assert [box.folio(f"B-{number}").payments[0].captured for number in "12"] == [10_000, 10_000]
    assert true(box)


def test_x_6_a_sale_that_was_told_as_an_authorisation() -> None:
    """A wrong word of the PMS: the look before our capture shows what it is, and the rest goes back."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), callback=False)
    box.say("payment.authorised", {**BACK, "payment": "P-1", "amount": 20_000, "provider_reference": payid, "order": "O-1"})
    box.until("2026-07-22T08:00:00+00:00")

    box.cancel()
    box.pass_time(24 * HOUR)

    payment = box.folio().payments[0]
    assert (payment.captured, payment.refunded, box.operations(payid)) == (20_000, 10_000, [("RFD", 10_000, "8")])
    assert true(box)


def test_x_6_a_callback_before_its_payment_is_not_lost() -> None:
    """It is asked about in vain; when the payment is known, once more."""
    box = Sandbox()
    box.say("booking.confirmed", booking(references=["R-1"]))
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    box.provider.back_office(payid, "SAL", 20_000, box.now())
    told = {"provider": "ogone", "merchant": "azur", "provider_reference": payid, "order": "O-1", "status": "9"}
    box.say("provider.notified", {**told, "folio": "B-1"})
    box.pass_time(HOUR)

    box.say("payment.authorised", {**BACK, "payment": "P-1", "amount": 20_000, "provider_reference": payid, "order": "O-1"})
    box.pass_time(HOUR)

    assert (books(box, payid), box.folio().notified) == ((20_000, 20_000), ())
    assert true(box)


@pytest.mark.parametrize("asked", [10_000, 20_000])
def test_x_17_a_refused_capture_leaves_its_authorisation(asked: int) -> None:
    """The house's capture waits (91), then is refused (93): what was authorised can still be taken."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.provider.back_office(payid, "SAL", asked, box.now(), status="91")
    box.say("payment.received", {**BACK, "payment": "P-1", "amount": asked, "provider_reference": payid, "status": "91"})
    assert box.folio().payments[0].status.value == "pending"
    box.provider.settle(payid, 1, "93", box.now())
    box.notified(payid, "93")

    payment = box.folio().payments[0]
    assert (payment.status.value, payment.authorised) == ("authorised", 20_000)
    assert true(box)


def test_x_3_what_is_captured_above_the_authorisation_is_told() -> None:
    """By the provider's own word; it is not this payment's."""
    box = Sandbox()
    payid = authorised(box, amount=20_000, provider_reference="3000000001")
    box.say("booking.changed", {**booking(price=5_000), "revision": 2})
    box.provider.books._db.execute("UPDATE operations SET minor = 30000 WHERE payid = ? AND level = 0", (payid,))
    box.provider.back_office(payid, "SAL", 30_000, box.now())

    outcomes = box.notified(payid, "9")

    assert [data["amount"] for name, data in outcomes if name == "effect.needs_person"] == [10_000]
    assert box.folio().payments[0].captured == 20_000
    assert true(box)


@pytest.mark.parametrize("name", ["payment.received", "payment.authorised", "payment.reversed"])
@pytest.mark.parametrize("amount", [20_000, 5_000])
def test_x_1_x_3_one_payment_of_the_provider_is_one_of_a_folio(name: str, amount: int) -> None:
    """The gateway and the PMS each name it in their own way: the second name is refused, whatever it says."""
    box = Sandbox()
    payid = box.paid()
    ((told, said),) = box.say(name, {**BACK, "payment": "GW-1", "amount": amount, "provider_reference": payid, "order": "O-1"})

    assert (told, said["code"], said["field"], said["value"]) == (
        "payment.refused",
        "duplicate_identity",
        "provider_reference",
        payid,
    )
    assert "P-O-1" in said["message"]
    box.cancel()
    box.pass_time(72 * HOUR)
    assert box.operations(payid) == [("RFS", 20_000, "8")]
    assert [(one.payment, one.refunded) for one in box.folio().payments] == [("P-O-1", 20_000)]
    assert true(box)


def test_x_1_x_17_an_authorisation_that_is_told_under_two_names_is_captured() -> None:
    """All of it is kept: it is taken, and not released because of its other name."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.say("payment.authorised", {**BACK, "payment": "GW-1", "amount": 20_000, "provider_reference": payid, "order": "O-1"})
    box.until("2026-07-24T08:00:00+00:00")
    box.cancel()
    box.pass_time(72 * HOUR)

    assert box.operations(payid) == [("SAS", 20_000, "9")]
    assert true(box)


def test_x_1_a_second_name_is_not_learned_later() -> None:
    """Told by its order alone, then by the id that the first one has; and the provider's records of it are the first one's."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    other = {**BACK, "payment": "GW-1", "amount": 20_000, "order": "O-1"}
    box.say("payment.authorised", other)
    assert "payment.refused" in names(box.say("payment.authorised", {**other, "provider_reference": payid}))
    box.provider.back_office(payid, "SAL", 20_000, box.now())
    box.notified(payid, "9")

    assert [(one.payment, one.captured, one.reference) for one in box.folio().payments] == [("P-1", 20_000, payid), ("GW-1", 0, "")]
    assert true(box)


def test_x_1_what_a_look_by_order_finds_is_counted_for_the_payment_that_has_it() -> None:
    """Told first without an id, and then under another name with it: a person hears that both are one, and it is captured once (X-3)."""
    box = Sandbox()
    payid = authorised(box)
    box.say("payment.authorised", {**BACK, "payment": "GW-1", "amount": 20_000, "order": "O-1", "provider_reference": payid})
    box.provider.back_office(payid, "SAL", 20_000, box.now())
    told = box.say("provider.notified", {"provider": "ogone", "merchant": "azur", "order": "O-1", "status": "9"})

    assert [data["amount"] for name, data in told if name == "effect.needs_person"] == [20_000]
    assert [(one.payment, one.captured, one.reference) for one in box.folio().payments] == [("P-1", 0, ""), ("GW-1", 20_000, payid)]
    assert true(box)


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {}), ({"provider": ""}, {"merchant": ""}), ({"merchant": ""}, {}), ({}, {"provider": "", "merchant": ""})],
)
def test_x_1_a_name_that_leaves_something_out_is_the_same_one(before: dict[str, str], after: dict[str, str]) -> None:
    """Without provider or merchant the id alone tells."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    paid = {**BACK, "amount": 10_000, "provider_reference": "3000000009"}
    box.say("payment.received", {**paid, "payment": "P-1", **before})
    assert names(box.say("payment.received", {**paid, "payment": "P-2", **after})) == ["payment.refused"]


@pytest.mark.parametrize("other", [{"merchant": "rose"}, {"provider": "other"}, {"provider_reference": "3000000010"}])
def test_x_1_another_account_counts_its_payments_itself(other: dict[str, str]) -> None:
    """The same number elsewhere, and another number, are other payments."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    paid = {**BACK, "amount": 10_000, "provider_reference": "3000000009"}
    for number, more in enumerate(({}, other)):
        box.say("payment.received", {**paid, "payment": f"P-{number}", **more})

    assert account.collected(box.folio()) == 20_000


# -- what turns afterwards -----------------------------------------------------------------------------------------------------------


def test_x_19_a_charge_back_that_is_shown_and_told_is_one() -> None:
    """Two captures; one turns out refused, by the provider's history and then by the PMS's word."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    for _ in range(2):
        box.provider.back_office(payid, "SAL", 10_000, box.now())
    box.notified(payid, "9")
    box.provider.settle(payid, 1, "93", box.now())
    box.wait(60)
    box.notified(payid, "93")

    box.say("payment.reversed", {**BACK, "payment": "P-1", "amount": 10_000})

    payment = box.folio().payments[0]
    assert (payment.captured, payment.reversed, payment.status.value) == (20_000, 10_000, "captured")
    assert true(box)


def test_x_13_refunds_of_a_capture_of_ours_that_is_taken_back_are_not_sent() -> None:
    """Ours and theirs stand, a refund of what is too much waits; theirs turns, then ours."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence", "act": "after", "act_after_s": 60})
    box.provider.back_office(payid, "SAL", 4_000, box.now())
    box.pass_time(HOUR)
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    done = {"subject": box.effect()["id"], "result": "confirmed", "reason": "seen"}
    box.say("effect.settle", done, actor="operator")
    box.notified(payid, "9")
    assert box.folio().payments[0].refunding == 4_000

    outcomes = []
    for level in (1, 2):
        box.provider.settle(payid, level, "93", box.now())
        box.wait(HOUR)
        outcomes += box.notified(payid, "93")
    box.say("payouts.start", {"reason": "go on"}, actor="operator")
    box.pass_time(HOUR)

    payment = box.folio().payments[0]
    assert (payment.captured - payment.reversed, payment.refunding, box.folio().effects) == (0, 0, ())
    assert "RFD" not in wire(box)
    assert "effect.needs_person" in names(outcomes)
    assert true(box)


def test_x_15_a_record_of_another_payment_settles_nothing() -> None:
    """A person names what is not of this payment: refused, with the name; the right one goes."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence"})
    done = {"subject": box.effect()["id"], "result": "confirmed", "reason": "seen"}

    refused = box.say("effect.settle", {**done, "provider_record": "3000000002/1"}, actor="operator")
    ((_, said),) = [one for one in refused if one[0] == "effect.refused"]
    assert (said["code"], said["field"], said["value"]) == ("unknown_record", "provider_record", "3000000002/1")

    assert "payment.captured" in names(box.say("effect.settle", {**done, "provider_record": f"{payid}/1"}, actor="operator"))


def test_x_6_a_wrong_name_moves_no_money() -> None:
    """The person names a record that is not there: what the provider shows afterwards is the same capture."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence"})
    done = {"subject": box.effect()["id"], "result": "confirmed", "reason": "seen", "provider_record": "7"}
    box.say("effect.settle", done, actor="operator")
    box.wait(60)
    box.notified(payid, "9")

    assert books(box, payid) == (10_000, 10_000)
    assert box.rows("SELECT kind FROM effect WHERE kind = 'refund'") == []
    assert true(box)


def test_x_17_money_that_made_our_capture_needless_and_is_taken_back_is_told() -> None:
    """Ours was withdrawn since others had captured; theirs turns out refused: owed again, and a person hears of it."""
    box, payid = half_kept(UNASKABLE)
    box.provider.back_office(payid, "SAL", 10_000, box.now())
    box.pass_time(HOUR)
    assert box.effect()["state"] == "refused"

    box.provider.settle(payid, 1, "93", box.now())
    outcomes = box.notified(payid, "93")

    assert [data["amount"] for name, data in outcomes if name == "effect.needs_person"] == [10_000]
    assert true(box)


def test_x_17_a_release_by_others_is_told() -> None:
    """The house releases the authorisation in its back office: it is no promise any more."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.provider.back_office(payid, "DES", 20_000, box.now(), status="6")

    assert "payment.voided" in names(box.notified(payid, "6"))
    assert box.folio().payments[0].status.value == "voided"
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()
    box.pass_time(HOUR)
    assert wire(box) == []
    assert true(box)


def test_a_sale_that_pays_two_bookings_gives_back_to_both() -> None:
    """Each refund may be followed by the other's: the first one closes nothing at the provider."""
    box, payid = paid_together()
    for number in "12":
        box.cancel(f"B-{number}", request=f"C-{number}")
        box.pass_time(HOUR)

    assert box.operations(payid) == [("RFD", 10_000, "8"), ("RFS", 10_000, "8")]
    assert [box.folio(f"B-{number}").payments[0].refunded for number in "12"] == [10_000, 10_000]


def test_x_6_a_callback_before_the_payments_names_is_not_lost() -> None:
    """The payment is known by nothing at first: it is asked about when a message brings its names."""
    box = Sandbox()
    payid = authorised(box, order="")
    box.provider.back_office(payid, "SAL", 12_000, box.now())
    told = {"provider": "ogone", "merchant": "azur", "provider_reference": payid, "order": "O-1", "status": "9"}
    box.say("provider.notified", {**told, "folio": "B-1"})

    named = {**BACK, "payment": "P-1", "amount": 20_000, "provider_reference": payid, "order": "O-1"}
    box.say("payment.authorised", named)
    box.pass_time(HOUR)

    assert (books(box, payid), box.folio().notified) == ((12_000, 12_000), ())


def test_x_17_a_capture_that_fails_late_leaves_nothing_waiting() -> None:
    """The house's capture is pending when the guest cancels, and then refused: the provider's record tells it, the rest is released."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.provider.back_office(payid, "SAL", 20_000, box.now(), status="91")
    box.say("payment.received", {**BACK, "payment": "P-1", "amount": 20_000, "provider_reference": payid, "status": "91"})
    box.cancel()

    box.provider.settle(payid, 1, "93", box.now())
    box.notified(payid, "93")
    box.pass_time(72 * HOUR)

    assert (box.folio().payments[0].status.value, box.folio().requests[0].status.value) == ("voided", "confirmed")


def authorised_together(*rules: dict[str, Any]) -> tuple[Sandbox, str]:
    """One authorisation of 200, half for each of two bookings; the PAYID."""
    box = Sandbox(*rules)
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    for number in "12":
        box.say("booking.confirmed", booking(f"B-{number}", price=10_000))
        held = {"folio": f"B-{number}", "payment": f"P-{number}", "amount": 10_000, "provider_reference": payid, "order": "O-1"}
        box.say("payment.authorised", {**BACK, **held})
    return box, payid


def test_x_17_an_authorisation_of_two_bookings_is_not_released_for_one() -> None:
    """The first is cancelled free of charge: a release would take the other's promise too, so that a person is told instead."""
    box, payid = authorised_together()

    outcomes = box.cancel("B-1") + box.pass_time(HOUR)

    (told,) = [data for name, data in outcomes if name == "effect.needs_person"]
    assert (told["effect"], told["amount"]) == (box.effect()["id"], 10_000)
    assert (wire(box), box.operations(payid), box.effect()["state"]) == ([], [], "needs_person")
    assert [box.folio(f"B-{number}").payments[0].status.value for number in "12"] == ["authorised", "authorised"]
    assert true(box)


def test_x_17_an_authorisation_of_two_bookings_is_captured_for_both() -> None:
    """Half of each is kept: the first capture closes nothing, since what it leaves is the other's."""
    box, payid = authorised_together()
    box.until("2026-07-22T08:00:00+00:00")
    for number in "12":
        box.cancel(f"B-{number}", request=f"C-{number}")
        box.pass_time(HOUR)

    assert [(one, minor) for one, minor, _ in box.operations(payid)] == [("SAL", 5_000), ("SAL", 5_000)]
    assert [box.folio(f"B-{number}").payments[0].captured for number in "12"] == [5_000, 5_000]
    assert true(box)


def test_x_17_the_last_capture_of_an_authorisation_of_two_bookings_closes_it() -> None:
    """The house has captured the first booking's half; what is left is the other one's alone."""
    box, payid = authorised_together()
    box.provider.back_office(payid, "SAL", 10_000, box.now())
    box.say("payment.received", {**BACK, "folio": "B-1", "payment": "P-1", "amount": 10_000, "status": "9"})
    box.notified(payid, "9")
    box.until("2026-07-22T08:00:00+00:00")

    box.cancel("B-2", request="C-2")
    box.pass_time(HOUR)

    assert [(one, minor) for one, minor, _ in box.operations(payid)] == [("SAL", 10_000), ("SAS", 5_000)]
    assert true(box)


def test_x_17_a_payment_that_others_have_captured_for_another_booking_is_not_released() -> None:
    """The other booking's half is captured: a release would undo it."""
    box, _ = authorised_together()
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel("B-2", request="C-2")
    box.pass_time(HOUR)
    assert wire(box) == ["SAL"]
    box.say("booking.changed", {**booking("B-1", price=0), "revision": 2})

    outcomes = box.cancel("B-1") + box.pass_time(HOUR)

    assert (wire(box), "effect.needs_person" in names(outcomes)) == (["SAL"], True)
    assert true(box)


@pytest.mark.parametrize("planned", [True, False])
def test_x_3_a_refund_by_others_of_a_payment_of_two_bookings_is_counted_and_told(planned: bool) -> None:
    """The house gives the second booking's half back and says so; the provider shows it to the first, whose own refund falls by it,
    planned or by hand, and whose guest may still wait: a person hears of it."""
    box, payid = paid_together(*([] if planned else [{"when": MAINTENANCE, "status": "83"}]))
    box.say("payouts.stop" if planned else "payouts.start", {"reason": "look"}, actor="operator")
    box.cancel("B-1")
    box.provider.back_office(payid, "RFD", 10_000, box.now())
    box.say("refund.executed_externally", {**BACK, "folio": "B-2", "payment": "P-2", "amount": 10_000})
    box.wait(60)
    outcomes = [] if planned else box.notified(payid)
    outcomes += box.say("payouts.start", {"reason": "go on"}, actor="operator") + box.pass_time(48 * HOUR)

    (told,) = [data for name, data in outcomes if name == "effect.needs_person"]
    assert (told["amount"], "of which 100.00 EUR are of payment P-1" in told["reason"]) == (10_000, True)
    assert "RFS" not in wire(box)
    assert true(box)


def test_x_3_what_others_captured_and_gave_back_counts_both_when_it_is_shown_at_once() -> None:
    """The first history after both: the money is here before a part of it goes."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.provider.back_office(payid, "SAL", 20_000, box.now())
    box.provider.back_office(payid, "RFD", 5_000, box.now())

    assert "effect.needs_person" not in names(box.notified(payid))
    assert (box.folio().payments[0].captured, box.folio().payments[0].foreign) == (20_000, 5_000)
    box.cancel()
    assert box.operations(payid)[2:] == [("RFS", 15_000, "8")]
    assert true(box)


@pytest.mark.parametrize(("nature", "waived", "claim"), [("arrhes", 10_000, 0), ("acompte", 0, 10_000)])
def test_s4_34_a_planned_capture_of_what_others_have_released_is_not_sent(nature: str, waived: int, claim: int) -> None:
    """The look shows it: ours is withdrawn and comes to what a refused one does, and a person is told once."""
    box = Sandbox(UNASKABLE)
    box.say("booking.confirmed", booking(deposit_nature=nature))
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    box.say("payment.authorised", {**BACK, "payment": "P-1", "amount": 20_000, "provider_reference": payid, "order": "O-1"})
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()
    box.provider.back_office(payid, "DES", 20_000, box.now(), status="6")

    outcomes = box.pass_time(48 * HOUR)

    assert (wire(box), box.effect()["state"], box.folio().effects) == ([], "refused", ())
    assert [data["amount"] for name, data in outcomes if name == "effect.needs_person"] == [10_000]
    folio = box.folio()
    assert (folio.payments[0].status.value, folio.waived, folio.claim) == ("voided", waived, claim)
    assert true(box)


def test_x_17_a_planned_release_of_what_others_have_released_is_not_sent() -> None:
    """It is done: nobody's work."""
    box = Sandbox(UNASKABLE)
    payid = authorised(box, provider_reference="3000000001")
    box.cancel()
    box.provider.back_office(payid, "DES", 20_000, box.now(), status="6")

    outcomes = box.pass_time(48 * HOUR)

    assert (wire(box), box.effect()["state"], "effect.needs_person" in names(outcomes)) == ([], "refused", False)
    assert box.folio().payments[0].status.value == "voided"
    assert true(box)
