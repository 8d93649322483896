"""S1-13 to S1-20, S1-36: what operators do with a balance request; docs/rules/balance.md has the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from handlers import account
from handlers.balance import QUEUES
from schemas.balance import BalanceScheduled, BalanceSent, BalanceSuspended
from schemas.balance_request import BalanceStatus
from schemas.errors import Rejected
from tests.handlers.balance_tables import table
from tests.handlers.balances import ANSWERED, ASKS, BOUGHT, SENT, Asked, answered, asked, asking, bought, collected, dropped
from tests.handlers.campsite import CAMP, fact, kinds, line, ordered
from tests.handlers.cancelling import GUEST

IN_QUEUE: dict[str, Callable[[], Asked]] = {
    "pending": bought,
    "sent_no_reply": asked,
    "sent_replied": answered,
    "paid": collected,
    "cancelled": dropped,
}
BODY: dict[str, dict[str, Any]] = {
    "balance.set_amount": {"amount": 5_000},
    "balance.suspend": {"until": "2026-07-15"},
    "balance.choose_method": {"method": "cheque"},
}
CELLS = [
    pytest.param(row["action"].strip("`"), queue, row[queue], id=f"{row['action'].strip('`')} in {queue}")
    for row in table("Which action in which queue")
    for queue in IN_QUEUE
]


@pytest.mark.parametrize(("action", "queue", "answer"), CELLS)
def test_s1_12_s1_13_s1_14_s1_16_each_action_in_each_queue(action: str, queue: str, answer: str) -> None:
    """The table of the document, cell by cell: done, the same again, or refused with the state untouched."""
    stay = IN_QUEUE[queue]()
    assert stay.queue() == queue
    before = stay.state
    act = lambda: stay.say(action.partition(".")[2], **BODY.get(action, {}))  # noqa: E731
    if answer in ("yes", "same"):
        out = act()
        assert (out.state is not None) is (answer == "yes")
        assert bool(out.facts) is (answer == "yes")
        return
    with pytest.raises(Rejected) as no:
        act()
    assert no.value.code == answer
    assert stay.state is before


def test_the_documented_table_is_the_table() -> None:
    """The queues of the code are those of the document."""
    told = {
        row["action"].strip("`"): {queue for queue in IN_QUEUE if row[queue] == "yes"}
        for row in table("Which action in which queue")
    }
    assert set(QUEUES) == set(told)
    for action, queues in QUEUES.items():
        assert {queue.value for queue in queues} - {"paid"} == told[action], action


def test_s1_13_an_amount_set_by_hand_is_what_is_asked() -> None:
    """60 of the 100: told, asked for on the same days, and paid by 60."""
    stay = bought()
    out = stay.say("set_amount", amount=6_000)
    told = fact(out, BalanceScheduled)

    assert (told.amount, told.fixed, told.clamped) == (6_000, True, False)
    (sent,) = stay.until(SENT)
    assert isinstance(sent, BalanceSent)
    assert sent.amount == 6_000
    stay.card(6_000, "P2")
    assert stay.queue() is BalanceStatus.PAID
    assert account.balance(stay.folio) == 4_000
    assert len(stay.folio.balance_requests) == 1


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        pytest.param(1, "", id="a cent"),
        pytest.param(10_000, "", id="all that is owed"),
        pytest.param(10_001, "amount_above_balance", id="a cent more"),
        pytest.param(10**15, "amount_above_balance", id="the largest amount there is"),
        pytest.param(-1, "amount_negative", id="a cent less than nothing"),
        pytest.param(-(10**15), "amount_negative", id="the smallest amount there is"),
    ],
)
def test_s1_17_bounds_of_an_amount(amount: int, code: str) -> None:
    """0 < amount <= ordered - collected; the refusal names field and value."""
    stay = bought()
    if not code:
        assert fact(stay.say("set_amount", amount=amount), BalanceScheduled).amount == amount
        return
    with pytest.raises(Rejected) as no:
        stay.say("set_amount", amount=amount)
    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == (code, "S1-17", "amount", str(amount))


def test_s1_17_nothing_cancels_the_request() -> None:
    """0 is a cancellation by the operator: what is owed stays owed."""
    stay = bought()
    out = stay.say("set_amount", amount=0)

    assert kinds(out) == ["BalanceCancelled"]
    assert (out.facts[0].reason, out.facts[0].balance) == ("operator", 10_000)  # type: ignore[attr-defined]
    assert not stay.timers


def test_s1_17_more_than_the_second_part_while_the_deposit_is_unpaid() -> None:
    """Nothing is paid: 150 of the 200 may be asked, and 150 close it."""
    stay = bought(deposit=False)
    stay.say("set_amount", amount=15_000)
    stay.until(SENT)
    stay.card(15_000, "P2")

    assert stay.queue() is BalanceStatus.PAID
    assert account.balance(stay.folio) == 5_000


def test_s1_18_a_cancelled_request_is_made_anew_only_by_hand() -> None:
    """Neither a dearer booking nor time brings it back; `recreate` does, as another request with the days of the booking."""
    stay = dropped()
    gone = stay.request
    stay.book(ordered(line(price=30_000), payment_plan="split", service_fee=0, booked_at=BOUGHT))
    assert stay.folio.balance_requests == (gone,)
    assert stay.until(SENT) == []
    told = fact(stay.say("recreate", at=SENT), BalanceScheduled)

    assert stay.folio.balance_requests[0] == gone
    assert stay.request.request != gone.request
    assert (told.amount, told.deadline.isoformat()) == (20_000, "2026-07-10")
    assert kinds_of(stay.until(SENT)) == ["BalanceSent"]


def test_s1_20_an_old_request_is_no_way_to_a_second_one() -> None:
    """The cancelled one is named while another is pending: refused for that one's sake."""
    stay = dropped()
    gone = stay.request.request
    stay.say("recreate")
    with pytest.raises(Rejected) as no:
        stay.say("recreate", request=gone)

    assert (no.value.code, no.value.value) == ("wrong_queue", "pending")


def test_s1_19_forcing_the_mail_does_not_move_the_deadline() -> None:
    """Sent in January; the deadline is still in July, and no second mail comes on its day."""
    stay = bought()
    out = stay.say("send_now", at="2026-01-05T10:00:00+01:00")
    sent = fact(out, BalanceSent)

    assert (sent.deadline.isoformat(), sent.link, sent.attempt, sent.again) == ("2026-07-10", 1, 1, False)
    assert stay.until(SENT) == []


def test_s1_20_sending_again_keeps_the_link() -> None:
    """The same request and link, another mail (S1-41: of another number)."""
    stay = asked()
    first = stay.request
    sent = fact(stay.say("resend", at=ANSWERED), BalanceSent)

    assert (sent.link, sent.attempt, sent.again) == (1, 2, True)
    assert stay.request.request == first.request
    assert stay.request.link == first.link


def test_s1_20_sending_again_leaves_a_payment_in_peace() -> None:
    """The card is being charged while the operator asks once more: the money closes the request."""
    stay = asked()
    stay.card(10_000, "P2", name="payment.authorised", status="51", occurred_at=ANSWERED)
    stay.say("resend", at=ANSWERED)
    stay.card(10_000, "P2", status="9")

    assert stay.queue() is BalanceStatus.PAID


def test_s0_24_s1_36_a_booking_is_suspended_until_a_day() -> None:
    """Until 5 July: sent then at nine, with the deadline ten days later (A-11)."""
    stay = bought()
    told = fact(stay.say("suspend", until="2026-07-05"), BalanceSuspended)

    assert (told.until.isoformat(), told.scope, told.deadline.isoformat()) == ("2026-07-05", "booking", "2026-07-15")
    assert stay.queue() is BalanceStatus.PENDING
    assert stay.until("2026-07-05T08:59:59+02:00") == []
    (sent,) = stay.until("2026-07-05T09:00:00+02:00")
    assert isinstance(sent, BalanceSent)
    assert sent.deadline.isoformat() == "2026-07-15"


@pytest.mark.parametrize(
    ("until", "moves", "deadline"),
    [
        pytest.param("2026-06-20", True, "2026-07-10", id="ends before the mail's day: nothing moves"),
        pytest.param("2026-06-30", True, "2026-07-10", id="ends on it"),
        pytest.param("2026-07-01", True, "2026-07-11", id="a day later"),
        pytest.param("2026-07-20", True, "2026-07-24", id="never later than the arrival"),
        pytest.param("2026-07-20", False, "2026-07-10", id="suspend_moves_deadline off"),
    ],
)
def test_s1_36_a_11_the_deadline_of_a_suspended_request(until: str, moves: bool, deadline: str) -> None:
    """max(original, end + notice days), capped at the arrival; with the knob off it stays."""
    stay = bought(camp=asking(suspend_moves_deadline=moves))
    stay.say("suspend", until=until)

    assert stay.request.deadline.isoformat() == deadline


def test_s1_36_a_suspension_that_ends_before_the_mails_day_changes_no_mail() -> None:
    """It is sent on its own day."""
    stay = bought()
    stay.say("suspend", until="2026-06-20")

    assert stay.until("2026-06-30T08:59:59+02:00") == []
    assert kinds_of(stay.until(SENT)) == ["BalanceSent"]


def test_s1_36_suspended_again_for_less_comes_back() -> None:
    """The last word counts, for the mail and for the deadline."""
    stay = bought()
    stay.say("suspend", until="2026-07-20")
    stay.say("suspend", until="2026-07-02")

    assert stay.request.deadline.isoformat() == "2026-07-12"
    assert kinds_of(stay.until("2026-07-02T09:00:00+02:00")) == ["BalanceSent"]


def test_s1_36_who_was_asked_keeps_the_link_and_gets_no_reminder() -> None:
    """Sent on 30 June, suspended from 2 July: the link lives, the deadline moves, and nothing is sent."""
    stay = asked(camp=asking(suspend_moves_deadline=False))
    stay.say("suspend", at=ANSWERED, until="2026-07-20")
    told = stay.until("2026-07-19T12:00:00+02:00")

    assert stay.request.link == 1
    assert kinds_of(told) == ["BalanceOverdue"]
    assert told[0].remind is False  # type: ignore[attr-defined]


REFUSED: dict[str, tuple[Callable[[], Asked], str, dict[str, Any], tuple[str, str, str, str]]] = {
    "until the arrival": (
        bought, "suspend", {"until": "2026-07-24"}, ("suspension_past_arrival", "S1-36", "until", "2026-07-24"),
    ),
    "until after it": (bought, "suspend", {"until": "2026-08-01"}, ("suspension_past_arrival", "S1-36", "until", "2026-08-01")),
    "until today": (bought, "suspend", {"until": "2026-01-01"}, ("suspension_in_the_past", "S1-36", "until", "2026-01-01")),
    "no such request": (bought, "cancel", {"request": "none"}, ("unknown_request", "S1-12", "request", "none")),
    "a guest": (bought, "set_amount", {"amount": 1, "actor": GUEST}, ("not_allowed", "X-15", "actor", "guest")),
    "no request at all": (
        lambda: bought(payment_plan="full"), "cancel", {}, ("no_balance_request", "S1-12", "folio", "B-1"),
    ),
    "nothing to be asked": (
        lambda: bought(payment_plan="full"), "recreate", {}, ("nothing_owed", "S1-33", "request", ""),
    ),
    "by settings that do not reach back": (
        dropped, "recreate", {"reapply": True}, ("not_reapplicable", "S1-11", "reapply", "true"),
    ),
    "by a channel": (
        lambda: bought(deposit=False, collected_by="channel"), "recreate", {}, ("collected_by_channel", "X-20", "folio", "B-1"),
    ),
    "asked during the stay": (
        asked, "resend", {"at": "2026-07-24T00:00:00+02:00"}, ("stay_begun", "S1-38", "folio", "B-1"),
    ),
    "sent during the stay": (
        bought, "send_now", {"at": "2026-07-24T00:00:00+02:00"}, ("stay_begun", "S1-38", "folio", "B-1"),
    ),
    "made anew during the stay": (
        dropped, "recreate", {"at": "2026-07-25T00:00:00+02:00"}, ("stay_begun", "S1-38", "folio", "B-1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_s1_16_refusals_name_rule_field_and_value(case: str) -> None:
    """And leave the state as it was."""
    made, action, body, expected = REFUSED[case]
    stay = made()
    before = stay.state
    with pytest.raises(Rejected) as no:
        stay.say(action, **body)

    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == expected
    assert stay.state is before


def test_x_20_nothing_is_asked_by_hand_where_a_channel_collects() -> None:
    """It has the money: no operator makes a request of it."""
    stay = bought(deposit=False, collected_by="channel")
    with pytest.raises(Rejected) as no:
        stay.say("recreate")

    assert (no.value.code, no.value.rule) == ("collected_by_channel", "X-20")


def test_s0_3_suspending_is_refused_before_its_day() -> None:
    """Said on 30 March 2020 there; from midnight of the 31st on it is taken."""
    stay = bought("2020-01-01T10:00:00+01:00", line(arrival="2020-07-24", departure="2020-07-31"))
    with pytest.raises(Rejected) as no:
        stay.say("suspend", at="2020-03-30T23:59:59+02:00", until="2020-05-01")

    assert (no.value.code, no.value.rule, no.value.field) == ("feature_not_available", "S0-3", "requested_at")
    assert kinds(stay.say("suspend", at="2020-03-31T00:00:00+02:00", until="2020-05-01")) == ["BalanceSuspended"]


def test_a_folio_that_nobody_knows_is_refused() -> None:
    stay = Asked()
    with pytest.raises(Rejected, match="not known") as no:
        stay.say("cancel")

    assert (no.value.code, no.value.field) == ("unknown_folio", "folio")


def test_s1_11_an_operator_applies_todays_settings() -> None:
    """Made under 14 days; the property now says 30 and lets them reach back: the pending request is made anew under them."""
    stay = bought()
    stay.camp = replace(asking(due_days=30, reapply=True), version="camp-azur/later")
    out = stay.say("recreate", reapply=True)

    assert kinds(out) == ["BalanceCancelled", "BalanceScheduled"]
    assert out.facts[0].reason == "reapplied"  # type: ignore[attr-defined]
    assert fact(out, BalanceScheduled).deadline.isoformat() == "2026-06-24"
    assert kinds_of(stay.until("2026-06-14T09:00:00+02:00")) == ["BalanceSent"]


def test_s1_11_a_booking_from_before_the_settings_is_brought_under_them() -> None:
    """Its second payment is told by the request from then on, and by nothing else."""
    stay = bought(camp=CAMP)
    assert stay.folio.balance_requests == ()
    stay.camp = asking(reapply=True)
    stay.say("recreate", reapply=True)
    assert kinds(stay.ring(str(stay.folio.second_payment_on))) == []
    stay.until(SENT)
    stay.card(10_000, "P2")

    assert stay.queue() is BalanceStatus.PAID


def test_s1_11_later_settings_change_no_earlier_request() -> None:
    """Without that, the version of the booking counts, for its changes too (S1-10)."""
    stay = bought()
    stay.camp = replace(asking(due_days=30), version="camp-azur/later")
    stay.book(ordered(line(price=30_000), payment_plan="split", service_fee=0, booked_at=BOUGHT))

    assert (stay.request.deadline.isoformat(), stay.request.amount) == ("2026-07-10", 20_000)
    assert stay.folio.policy == ASKS.version


def kinds_of(told: list[Any]) -> list[str]:
    return [type(one).__name__ for one in told]
