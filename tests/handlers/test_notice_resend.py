"""`notice.resend`: an operator has a notice that reached nobody written once more (X-15)."""

from __future__ import annotations

import pytest

from handlers.notice_resend import REFUSED
from handlers.notice_when import to_be_checked, top_up_awaited
from schemas.errors import Rejected
from schemas.notice import NoticeCarried, NoticeKind, NoticeRequested, NoticeState
from tests.handlers.balances import ANSWERED
from tests.handlers.campsite import fact
from tests.handlers.test_notice import rows
from tests.handlers.writing import OPERATOR, Told, WritingHouse, asked

ASKED = NoticeKind.BALANCE_ASKED


def failed(kind: NoticeKind = ASKED, state: NoticeState = NoticeState.BOUNCED) -> Told:
    """A balance was asked for, and the mail came back."""
    stay = asked()
    stay.carried(state, kind, "bounced")
    return stay


def refusal(stay: Told, notice: str, actor: dict[str, str] = OPERATOR) -> Rejected:
    with pytest.raises(Rejected) as refused:
        stay.resend(notice, actor)
    return refused.value


@pytest.mark.parametrize("state", NoticeState)
def test_x_15_what_is_written_once_more(state: NoticeState) -> None:
    """docs/rules/notice.md: by how the last one ended; what is on its way counts as planned."""
    shown = {is_: told.strip("`") for is_, told in rows("Once more, by hand")[:5]}
    stay = asked()
    if state in (NoticeState.PLANNED, NoticeState.SENDING):
        state = NoticeState.PLANNED
    else:
        stay.carried(state, ASKED, "x")
    known = stay.last(ASKED)
    if state in REFUSED:
        assert shown[state.value] == REFUSED[state][0] == refusal(stay, known.notice).code
        return
    out = stay.resend(known.notice)

    assert shown[state.value] == "written"
    told = fact(out, NoticeRequested)
    assert (told.kind, told.attempt, told.language) == ("balance_asked", 2, "de")
    assert out.trace[0].rule == "X-15"


def test_x_15_s1_41_a_new_attempt_is_a_notice_of_its_own() -> None:
    """Another id, what the first was to say, and its own end; the request is not asked anew."""
    stay = failed()
    request, first = stay.request, stay.last(ASKED)
    (written,) = stay.resend(first.notice).notices
    second = stay.last(ASKED)

    assert second.notice != first.notice
    assert (second.attempt, second.occasion, second.state) == (2, first.occasion, NoticeState.PLANNED)
    assert written.variables == next(one.variables for one in stay.written if one.notice == first.notice)
    assert stay.request == request
    stay.inside("notice.carried", _sent(second.notice))
    assert [one.state for one in stay.folio.notices if one.kind is ASKED] == [NoticeState.BOUNCED, NoticeState.SENT]


def _sent(notice: str) -> object:
    return NoticeCarried(notice=notice, state=NoticeState.SENT)


def test_x_15_asked_for_twice_it_is_written_once() -> None:
    """The last attempt counts, by whichever of them it is named."""
    stay = failed()
    first = stay.last(ASKED)
    stay.resend(first.notice)
    assert refusal(stay, first.notice).code == "notice_under_way"
    stay.inside("notice.carried", _sent(stay.last(ASKED).notice))
    refused = refusal(stay, first.notice)

    assert (refused.code, refused.field, refused.value) == ("notice_sent", "notice", stay.last(ASKED).notice)
    assert len([one for one in stay.folio.notices if one.kind is ASKED]) == 2


@pytest.mark.parametrize("kind", ["guest", "merchant", "channel", "platform"])
def test_x_15_only_an_operator_may(kind: str) -> None:
    stay = failed()
    refused = refusal(stay, stay.last(ASKED).notice, actor={"kind": kind, "id": "x"})

    assert (refused.code, refused.rule, refused.field, refused.value) == ("not_allowed", "X-15", "actor", kind)


def test_x_15_what_was_never_written_is_refused() -> None:
    """In a booking that is there, and in none."""
    assert (refusal(failed(), "n-9").code, refusal(failed(), "n-9").value) == ("unknown_notice", "n-9")
    assert refusal(Told(), "n-9").code == "unknown_notice"


def test_s1_20_s1_38_a_dead_link_and_a_stay_that_has_begun_are_not_told_once_more() -> None:
    """What would be said is no more so; an operator asks anew by `balance.resend`."""
    stay = failed()
    first = stay.last(ASKED)
    stay.say("choose_method", at=ANSWERED, method="card", through="phone")
    assert refusal(stay, first.notice).code == "notice_outdated"
    stay.say("report_disfunction")
    assert refusal(stay, first.notice).code == "notice_outdated", "another link is live"
    late = failed()
    late.now = "2026-07-24T08:00:00+02:00"

    assert refusal(late, late.last(ASKED).notice).code == "notice_outdated"


def test_s1_15_s1_37_what_was_answered_and_paid_meanwhile_is_not_told_to_the_merchant() -> None:
    stay = asked()
    stay.until("2026-07-11T12:00:00+02:00")
    stay.say("choose_method", method="cheque")
    for kind in (NoticeKind.BALANCE_UNPAID, NoticeKind.BALANCE_REPLIED):
        stay.carried(NoticeState.FAILED, kind, "no_address")
    unpaid, replied = (stay.last(kind).notice for kind in (NoticeKind.BALANCE_UNPAID, NoticeKind.BALANCE_REPLIED))
    stay.resend(unpaid)
    stay.carried(NoticeState.FAILED, NoticeKind.BALANCE_UNPAID, "no_address")
    stay.say("report_collected")

    assert refusal(stay, unpaid).code == refusal(stay, replied).code == "notice_outdated"


def test_s1_15_a_reply_that_failed_is_not_told_for_another_that_is_under_way() -> None:
    """Attempts are told apart."""
    stay = asked()
    stay.say("choose_method", at=ANSWERED, method="card", through="phone")
    first = stay.last(NoticeKind.BALANCE_REPLIED)
    stay.carried(NoticeState.FAILED, NoticeKind.BALANCE_REPLIED, "no_address")
    stay.say("report_disfunction")
    stay.say("choose_method", method="cheque")

    assert refusal(stay, first.notice).code == "notice_outdated"


def test_s0_35_a_voucher_that_is_checked_is_not_asked_about_once_more() -> None:
    """Nor a top-up that came."""
    house = WritingHouse()
    house.order()
    house.enter(10_000)
    said = next(one.variables for one in house.written if one.kind == "voucher_check")
    day = house.now.date()
    assert to_be_checked(said, house.folio(), day)
    assert not to_be_checked({**said, "again": 1}, house.folio(), day)
    house.check("lower_value", value=4_000)
    awaited = next(one.variables for one in house.written if one.kind == "voucher_top_up_awaited")

    assert not to_be_checked(said, house.folio(), day)
    assert top_up_awaited(awaited, house.folio(), day)
    house.pay(15_000)
    assert not top_up_awaited(awaited, house.folio(), day)
