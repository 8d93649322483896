"""Notices about balance requests: asked, asked again, overdue, not collected, paid; and what the merchant is told (S1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.balance_record import SEND
from handlers.notice import occasion_of
from handlers.notice_table import BY_KIND, NOTICES
from schemas.balance import BalanceOverdue
from schemas.balance_request import BalanceStatus
from schemas.errors import Rejected, Stale
from schemas.notice import Audience, NoticeKind, NoticeState
from schemas.operations import TimerFired
from schemas.refund import RefundExecuted
from tests.handlers.balances import ANSWERED, ASKS, asking
from tests.handlers.campsite import line, ordered
from tests.handlers.writing import Told, asked, bought

AFTER = "2026-07-11T12:00:00+02:00"


def test_s1_1_s1_4_the_guest_is_asked_by_a_mail() -> None:
    """Amount, deadline and the methods that are offered, in the guest's language; not before the mail's day."""
    stay = bought()
    stay.until("2026-06-30T08:59:00+02:00")
    assert stay.kinds() == []
    stay.until("2026-06-30T09:00:00+02:00")

    (told,) = stay.written[1:]
    assert (told.kind, told.audience, told.attempt, told.language) == (NoticeKind.BALANCE_ASKED, Audience.GUEST, 1, "de")
    said = {name: told.variables[name] for name in ("amount", "deadline", "methods", "link", "again")}
    assert said == {
        "amount": 10_000, "deadline": "2026-07-10", "methods": ("card", "bank_transfer", "cheque"), "link": 1, "again": False,
    }  # fmt: skip


def test_s1_14_s1_20_asked_once_more_by_the_same_link() -> None:
    """Each resend is a mail of its own."""
    stay = asked()
    stay.say("resend", at="2026-07-01T10:00:00+02:00")
    stay.say("resend", at="2026-07-02T10:00:00+02:00")

    assert stay.kinds() == [("balance_asked", 1), ("balance_asked_again", 1), ("balance_asked_again", 2)]
    assert [(one.variables["link"], one.variables["again"]) for one in stay.written[-2:]] == [(1, True), (1, True)]
    assert len({one.notice for one in stay.written}) == len(stay.written)


def test_s1_20_s1_34_what_has_changed_is_asked_by_a_new_link() -> None:
    """The former one is dead, and the mail says that it no longer applies."""
    stay = asked()
    stay.now = "2026-07-01T10:00:00+02:00"
    stay.book(ordered(line(price=24_000), revision=2, payment_plan="split", service_fee=0), "booking.changed")
    stay.until("2026-07-01T10:01:00+02:00")

    assert stay.kinds() == [("balance_asked", 1), ("balance_asked_again", 1)]
    told = stay.written[-1].variables
    assert (told["link"], told["again"], told["amount"]) == (2, False, 14_000)


def test_s1_13_s1_19_sent_now_even_if_it_is_decided_twice_is_one_mail() -> None:
    """The day of the mail comes after it, and a second word of the operator is refused: one mail each time."""
    stay = bought()
    stay.say("send_now", at="2026-06-01T10:00:00+02:00")
    with pytest.raises(Rejected) as refused:
        stay.say("send_now", at="2026-06-01T10:00:01+02:00")
    stay.until("2026-07-01T09:00:00+02:00")

    assert refused.value.code == "wrong_queue"
    assert stay.kinds() == [("balance_asked", 1)]


@pytest.mark.parametrize(
    ("zone", "at"),
    [
        ("Europe/Paris", "2026-06-30T07:00:00+00:00"),
        ("America/Guadeloupe", "2026-06-30T13:00:00+00:00"),
        ("Pacific/Auckland", "2026-06-29T21:00:00+00:00"),
    ],
)
def test_s1_29_s1_41_the_timer_of_the_mail_decided_twice_is_one_notice(zone: str, at: str) -> None:
    """At nine where the property is; a worker that decides it again from the same state makes the very same notice, and one that finds it
    decided has nothing to send."""
    stay = bought(camp=replace(ASKS, zone=zone))
    (timer,) = [one for one in stay.timers.values() if one.kind == SEND]
    assert timer.due == datetime.fromisoformat(at)
    fired = TimerFired(name=timer.name, due=timer.due, kind=timer.kind, subject=timer.subject)
    stay.now, before = at, stay.state
    (first,) = stay.inside("timer.fired", fired).notices
    after, stay.state = stay.state, before
    (again,) = stay.inside("timer.fired", fired).notices
    assert again.notice == first.notice
    assert (again.attempt, again.variables["amount"]) == (first.attempt, first.variables["amount"])
    stay.state = after

    with pytest.raises(Stale):
        stay.inside("timer.fired", fired)


def test_s1_37_the_guest_is_reminded_and_the_merchant_told() -> None:
    """Once, each in his language, the merchant in the property's."""
    stay = asked()
    stay.until(AFTER)

    assert stay.kinds()[1:] == [("balance_overdue", 1), ("balance_unpaid", 1)]
    guest, merchant = stay.written[-2:]
    assert (guest.audience, guest.language, merchant.audience, merchant.language) == ("guest", "de", "merchant", "fr")
    assert (guest.variables["amount"], guest.variables["deadline"]) == (10_000, "2026-07-10")


@pytest.mark.parametrize(("due_days", "late_by"), [(0, timedelta(0)), (1, timedelta(days=1))])
def test_s1_38_nobody_is_reminded_during_the_stay(due_days: int, late_by: timedelta) -> None:
    """Due so late that the guest is there when the deadline is over, or is there by the time a hub that was away decides it; the merchant
    is told all the same."""
    stay = bought(camp=asking(due_days=due_days))
    stay.late_by = late_by
    stay.until("2026-08-02T12:00:00+02:00")

    assert ("balance_unpaid", 1) in stay.kinds()
    assert "balance_overdue" not in dict(stay.kinds())


def test_s1_23_each_attempt_that_fails_is_told() -> None:
    """By request and attempt, with its reason and an invitation to pay again; a repeat of the report is no second mail."""
    stay = asked()
    for n, reason in enumerate(("insufficient_funds", "card_data_invalid"), 1):
        stay.say("choose_method", at=f"2026-07-0{n + 1}T10:00:00+02:00", method="card", through="phone")
        stay.say("report_disfunction", attempt=n, reason=reason)
        assert not stay.say("report_disfunction", attempt=n, reason=reason).facts

    failed = [one for one in stay.written if one.kind is NoticeKind.BALANCE_NOT_COLLECTED]
    assert [(one.attempt, one.variables["attempt"], one.variables["reason"]) for one in failed] == [
        (1, 1, "insufficient_funds"), (2, 2, "card_data_invalid"),
    ]  # fmt: skip
    assert [one.variables["link"] for one in failed] == [2, 3]
    assert failed[0].variables["methods"] == ("card", "bank_transfer", "cheque")


def test_s1_23_s1_41_the_same_attempt_of_another_request_is_another_mail() -> None:
    """Attempts are counted within a request, and two requests of a booking each have a first one."""
    stay = asked()
    stay.say("choose_method", at=ANSWERED, method="card", through="phone")
    stay.say("report_disfunction")
    first = stay.request.request
    stay.now = "2026-07-04T10:00:00+02:00"
    stay.card(10_000, "P2")
    stay.book(ordered(line(price=24_000), revision=3, payment_plan="split", service_fee=0), "booking.changed")
    stay.until("2026-07-05T10:00:00+02:00")
    assert stay.request.request != first
    stay.say("choose_method", method="card", through="phone")
    stay.say("report_disfunction")

    failed = [one for one in stay.written if one.kind is NoticeKind.BALANCE_NOT_COLLECTED]
    assert [one.variables["attempt"] for one in failed] == [1, 1]
    assert [one.attempt for one in failed] == [1, 2]


def test_s1_38_what_fails_during_the_stay_is_not_written_about() -> None:
    """Nobody is invited to pay by mail who stands at the desk."""
    stay = asked()
    stay.say("choose_method", at=ANSWERED, method="card", through="phone")
    stay.say("report_disfunction", at="2026-07-24T10:00:00+02:00")

    assert "balance_not_collected" not in dict(stay.kinds())


def test_s1_15_s1_45_the_merchant_hears_of_a_reply_and_is_asked_what_came_of_it() -> None:
    """At once, and five days later."""
    stay = asked()
    stay.say("choose_method", at=ANSWERED, method="cheque")
    stay.until("2026-07-07T10:00:00+02:00")
    replied, unreported = stay.written[-2:]
    stay.say("report_collected", at="2026-07-08T10:00:00+02:00")

    assert (replied.kind, replied.audience, replied.variables["method"]) == ("balance_replied", "merchant", "cheque")
    assert (unreported.kind, unreported.variables["chosen_at"]) == ("collection_unreported", "2026-07-02T10:00:00+02:00")
    assert stay.kinds()[-1] == ("balance_paid", 1)
    assert stay.written[-1].variables["balance"] == 0


def test_s1_40_a_bounce_leaves_the_request_where_it_is_and_alerts_the_merchant() -> None:
    """`sent_no_reply`, with its link."""
    stay = asked()
    before = stay.request
    out = stay.carried(NoticeState.BOUNCED, NoticeKind.BALANCE_ASKED, "bounced")

    assert (stay.request, stay.queue()) == (before, BalanceStatus.SENT_NO_REPLY)
    (told,) = out.notices
    assert (told.kind, told.audience, told.variables["kind"]) == (NoticeKind.NOTICE_FAILED, Audience.MERCHANT, "balance_asked")


def test_s1_41_what_is_not_told_apart_by_one_field_is_by_the_other() -> None:
    """A stroke inside a field is not the one between two."""
    (notice,) = [one for one in NOTICES if one.kind is NoticeKind.REFUND_EXECUTED]

    def occasion(payment: str, record: str) -> str:
        fact = RefundExecuted(refund="R", payment=payment, amount=1, currency="EUR", provider_record=record)
        return occasion_of(fact, notice)

    assert occasion("a/b", "c") != occasion("a", "b/c")
    assert occasion("a%2Fb", "c") != occasion("a/b", "c")
    assert occasion("P1", "30/1") == "R/P1/30/1", "as stores have it"


STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "resend": ("resend", {}), "now": ("send_now", {}), "card": ("choose_method", {"method": "card"}),
    "cheque": ("choose_method", {"method": "cheque"}), "failed": ("report_disfunction", {}), "got": ("report_collected", {"amount": 100}),
    "anew": ("recreate", {}), "no": ("cancel", {}),
}  # fmt: skip


@given(st.lists(st.sampled_from([*STEPS, "wait"]), max_size=14))
def test_s1_41_no_two_facts_share_a_mail_and_no_fact_has_two(steps: list[str]) -> None:
    """Whatever people do: as many mails of a kind as there are facts that it is about, each with an identity of its own."""
    stay = bought()
    day = 20
    for step in steps:
        day += 1
        at = f"2026-06-{day}T12:00:00+02:00" if day <= 30 else f"2026-07-{day - 30:02}T12:00:00+02:00"
        try:
            if step == "wait":
                stay.until(at)
            else:
                stay.say(STEPS[step][0], at=at, **STEPS[step][1])
        except (Rejected, Stale):
            continue

    assert len({one.notice for one in stay.written}) == len(stay.written)
    for kind in NoticeKind:
        about = BY_KIND[kind].about
        facts = [
            fact for fact in stay.said if isinstance(fact, about) and (about is not BalanceOverdue or kind == "balance_unpaid")
        ]
        mails = [one for one in stay.written if one.kind is kind]
        if kind.value.startswith("balance_a"):
            mails = [one for one in stay.written if one.kind.value.startswith("balance_asked")]
        if kind.value.startswith(("balance_", "collection_")) and kind not in ("balance_overdue", "balance_not_collected"):
            assert len(mails) == len(facts), kind


def test_nothing_is_written_for_a_property_that_wants_none() -> None:
    """The request goes on as it did."""
    stay = Told()
    stay.camp = asking()
    stay.now = "2026-01-01T10:00:00+01:00"
    stay.book(ordered(line(), payment_plan="split", service_fee=0, booked_at=stay.now))
    stay.until(AFTER)

    assert stay.queue() is BalanceStatus.SENT_NO_REPLY
    assert (stay.written, stay.folio.notices) == ([], ())
