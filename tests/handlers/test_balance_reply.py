"""S1-15, S1-21 to S1-28, S1-45, X-21: the guest's answer, and what the merchant reports of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import account
from handlers.balance_reply import INITIATION
from ledger.balance import balance
from schemas.balance import BalanceDisfunction, BalancePaid, BalanceReplied, BalanceSent
from schemas.balance_request import AttemptState, BalanceStatus
from schemas.booking import Overpaid
from schemas.errors import Rejected, Stale
from schemas.payment import Initiation, PaymentCaptured, Through
from tests.handlers.balance_tables import table
from tests.handlers.balances import ANSWERED, BOUGHT, SENT, Asked, answered, asked, asking, bought, collected
from tests.handlers.campsite import fact, kinds, line, ordered
from tests.handlers.cancelling import GUEST

LATER = "2026-07-04T10:00:00+02:00"


@pytest.mark.parametrize("method", ["card", "bank_transfer", "cheque"])
def test_s1_12_s1_15_s1_45_a_reply_is_any_method(method: str) -> None:
    """It goes to those who have replied, and the merchant is told."""
    stay = asked()
    told = fact(stay.say("choose_method", at=ANSWERED, method=method), BalanceReplied)

    assert stay.queue() is BalanceStatus.SENT_REPLIED
    assert (told.attempt, told.method, told.amount) == (1, method, 10_000)


def test_x_21_every_way_of_answering_has_its_initiation() -> None:
    assert set(INITIATION) == {(through, token) for through in Through for token in (True, False)}


@pytest.mark.parametrize(
    ("body", "initiation"),
    [
        pytest.param({}, Initiation.CIT, id="on the provider's page"),
        pytest.param({"token": "tok_1"}, Initiation.CIT, id="by a token that he gives himself"),
        pytest.param({"token": "tok_1", "mandate": "M-1"}, Initiation.MIT, id="by token, with consent"),
        pytest.param({"through": "phone", "token": "tok_1"}, Initiation.MOTO, id="by telephone"),
        pytest.param({"through": "mail"}, Initiation.MOTO, id="by mail"),
    ],
)
def test_s1_21_s1_25_s1_28_a_13_x_21_cit_mit_and_moto_are_kept_apart(body: dict[str, Any], initiation: Initiation) -> None:
    """By which way the guest answered and by token; the money that follows says the same."""
    stay = asked()
    told = fact(stay.say("choose_method", at=ANSWERED, method="card", **body), BalanceReplied)
    stay.say("report_collected")

    assert told.initiation == initiation.value
    assert stay.folio.payments[-1].initiation is initiation
    assert stay.folio.payments[-1].mandate == body.get("mandate", "")


@pytest.mark.parametrize(
    ("body", "code", "rule", "field", "value"),
    [
        pytest.param({"method": "holiday_voucher"}, "method_not_offered", "S1-6", "method", "holiday_voucher", id="not offered"),
        pytest.param({"method": "barter"}, "method_not_offered", "S1-6", "method", "barter", id="no method at all"),
        pytest.param(
            {"method": "card", "token": "[card removed]"}, "card_number_removed", "A-13", "token", "[card removed]", id="a card"
        ),
        pytest.param(
            {"method": "card", "token": "tok_1", "mandate": "[card removed]"},
            "card_number_removed",
            "A-13",
            "mandate",
            "[card removed]",
            id="a card as mandate",
        ),
        pytest.param(
            {"method": "card", "mandate": "[card removed]"},
            "card_number_removed",
            "A-13",
            "mandate",
            "[card removed]",
            id="a card as mandate, without a token",
        ),
        pytest.param(
            {"method": "card", "token": "c [code removed]"},
            "card_number_removed",
            "A-13",
            "token",
            "c [code removed]",
            id="its code",
        ),
        pytest.param(
            {"method": "cheque", "token": "tok"}, "token_without_card", "X-21", "method", "cheque", id="a token for a cheque"
        ),
        pytest.param({"method": "card", "request": "R-9"}, "unknown_request", "S1-12", "request", "R-9", id="another request"),
    ],
)
def test_s1_6_a_13_x_21_answers_that_are_refused(body: dict[str, Any], code: str, rule: str, field: str, value: str) -> None:
    stay = asked()
    before = stay.state
    with pytest.raises(Rejected) as no:
        stay.say("choose_method", at=ANSWERED, **body)

    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == (code, rule, field, value)
    assert stay.state is before


@pytest.mark.parametrize("row", table("A card that was chosen"), ids=lambda row: " ".join(row.values()))
def test_s1_28_x_21_who_gives_a_token(row: dict[str, str]) -> None:
    """Each row of the page."""
    stay = asked()
    given = {name: text for name, text in (("token", "tok_1"), ("mandate", "M-1")) if row[name] == "yes"}
    body = {"method": "card", "through": row["through"], "actor": {"kind": row["by"], "id": "x"}, **given}
    if row["initiation"] == "mandate_required":
        with pytest.raises(Rejected) as no:
            stay.say("choose_method", at=ANSWERED, **body)
        assert (no.value.code, no.value.rule, no.value.field, no.value.value) == ("mandate_required", "X-21", "mandate", "")
        return

    assert fact(stay.say("choose_method", at=ANSWERED, **body), BalanceReplied).initiation == row["initiation"]
    assert stay.request.attempts[-1].token == given.get("token", "")


@pytest.mark.parametrize("way", ["web", "phone", "mail"])
def test_s1_21_x_21_by_which_way_a_card_was_given_is_kept(way: str) -> None:
    """With the attempt that is charged by it, and with the payment that the merchant reports."""
    stay = asked()
    stay.say("choose_method", at=ANSWERED, method="card", through=way, token="tok_1", mandate="M-1", mandate_version="1")
    assert stay.request.attempts[-1].through == way
    stay.say("report_collected", at=ANSWERED, payment="P-9", actor={"kind": "merchant", "id": "m-1"})

    assert stay.state.payments[-1].through == way
    assert stay.state.payments[-1].flags == ()


def test_s1_20_s1_45_the_guest_chooses_anew() -> None:
    """A card by phone in place of a cheque: another attempt, the first one is kept in the history and its money is told as it comes; the
    merchant is asked five days after the second answer."""
    stay = answered("cheque")
    told = fact(stay.say("choose_method", at=LATER, method="card", through="phone", token="tok-1"), BalanceReplied)

    assert (told.attempt, told.method, told.initiation, told.amount) == (2, "card", "moto", 10_000)
    assert [(one.method.value, one.state.value) for one in stay.request.attempts] == [("cheque", "replaced"), ("card", "chosen")]
    stay.say("choose_method", method="bank_transfer")
    assert [one.token for one in stay.request.attempts] == ["", "", ""]
    with pytest.raises(Rejected) as no:
        stay.say("report_collected", attempt=1)
    assert (no.value.code, no.value.field) == ("unknown_attempt", "attempt")
    stay.say("report_collected")
    assert stay.queue() is BalanceStatus.PAID
    assert [one.state.value for one in stay.request.attempts] == ["replaced", "replaced", "collected"]


@pytest.mark.parametrize("status", ["51", "5"])
def test_s1_20_a_payment_that_is_on_its_way_is_left_in_peace(status: str) -> None:
    """A second way of paying could take the money twice; once it has come to nothing, the guest may choose anew."""
    stay = answered("card", token="tok-1", through="phone")
    stay.card(10_000, "P2", name="payment.authorised", status=status, occurred_at=ANSWERED)
    before = stay.state
    with pytest.raises(Rejected) as no:
        stay.say("choose_method", method="cheque")

    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == ("payment_in_flight", "S1-20", "method", "card")
    assert stay.state is before


def test_s1_20_what_is_collected_is_not_chosen_anew() -> None:
    """The request is paid."""
    stay = answered("cheque")
    stay.say("report_collected")
    with pytest.raises(Rejected) as no:
        stay.say("choose_method", method="card", through="phone", token="t")

    assert (no.value.code, no.value.value) == ("wrong_queue", "paid")


def test_s1_33_s1_45_more_than_was_asked_is_money_all_the_same() -> None:
    """900 of 100: booked as it was reported, and told as overpaid."""
    stay = answered("cheque")
    out = stay.say("report_collected", at=LATER, amount=90_000)

    assert fact(out, PaymentCaptured).amount == 90_000
    assert (fact(out, BalancePaid).amount, fact(out, Overpaid).amount) == (10_000, 80_000)
    assert stay.owes() == -80_000


def test_s1_45_what_the_merchant_reports_collected_is_booked() -> None:
    """A cheque of 100: paid, in the till, nothing owed."""
    stay = answered("cheque")
    out = stay.say("report_collected", at=LATER)
    taken = fact(out, PaymentCaptured)

    assert (taken.tender, taken.amount) == ("cheque", 10_000)
    assert fact(out, BalancePaid).amount == 10_000
    assert stay.owes() == 0
    assert balance(stay.entries, "till:cheque", "EUR") == 10_000
    assert stay.request.attempts[0].state is AttemptState.COLLECTED


def test_s1_45_reported_for_less_the_rest_is_asked_for() -> None:
    """60 of 100: without reply again, and asked for 40 by a new link at once."""
    stay = answered("cheque")
    stay.say("report_collected", at=LATER, amount=6_000)
    assert stay.queue() is BalanceStatus.SENT_NO_REPLY
    (sent,) = stay.until("2026-07-04T10:00:01+02:00")

    assert isinstance(sent, BalanceSent)
    assert (sent.amount, sent.link) == (4_000, 2)


@pytest.mark.parametrize(
    ("message", "once"),
    [
        pytest.param({"tender": "cheque"}, True, id="the same cheque"),
        pytest.param({"tender": "cheque", "occurred_at": ANSWERED}, True, id="moved when it was chosen"),
        pytest.param({"tender": "cheque", "occurred_at": SENT}, True, id="moved when it was asked for"),
        pytest.param({"tender": "cheque", "occurred_at": "2026-05-01T10:00:00+02:00"}, False, id="moved before: another one"),
        pytest.param({"tender": "cash"}, False, id="another tender"),
        pytest.param({"tender": "cheque", "amount": 9_999}, False, id="another amount"),
    ],
)
def test_x_1_s1_45_a_payment_that_was_reported_is_counted_once(message: dict[str, Any], once: bool) -> None:
    """The payment message comes after the report: it is the same money, or it is not."""
    stay = answered("cheque")
    stay.say("report_collected", at=LATER)
    before = len(stay.folio.payments)
    amount = message.pop("amount", 10_000)
    stay.card(amount, "P2", **{"provider": "", "merchant": "", "provider_reference": "", "order": "", **message})

    assert len(stay.folio.payments) == before + (not once)
    assert stay.owes() == (0 if once else -amount)


def test_x_1_s1_45_the_same_money_is_known_by_both_names() -> None:
    """A card by telephone, reported, then told by the PMS with its provider's number: at the provider and not in the till, once; told
    again it is stale, taken back it is owed again (X-19)."""
    stay = answered("card", through="phone")
    stay.say("report_collected", at=LATER)
    assert balance(stay.entries, "till:card", "EUR") == 10_000
    out = stay.card(10_000, "P2")

    assert kinds(out) == []
    assert balance(stay.entries, "till:card", "EUR") == 0
    assert balance(stay.entries, "money:ogone/azur", "EUR") == 20_000
    with pytest.raises(Stale):
        stay.card(10_000, "P2")
    stay.card(10_000, "P2", name="payment.reversed")
    assert stay.owes() == 10_000


def test_x_1_s1_45_an_authorisation_of_the_same_money_is_no_second_payment() -> None:
    """Authorised by message, reported by the merchant, captured by message: counted once."""
    stay = answered("card")
    stay.card(10_000, "P2", name="payment.authorised", occurred_at=LATER)
    stay.say("report_collected", at=LATER)
    stay.card(10_000, "P2", occurred_at=LATER)

    assert stay.owes() == 0
    assert [one.payment for one in stay.folio.payments if one.captured] == ["P1", f"{stay.request.request}/1"]
    assert len(stay.folio.payments) == 2


def test_x_1_s1_45_a_report_that_names_its_payment() -> None:
    """Under the id of the message to come, or with the provider's number, whatever the amount: one payment."""
    stay = answered("card", through="phone")
    stay.say("report_collected", at=LATER, payment="P2")
    stay.card(10_000, "P2")
    assert balance(stay.entries, "money:ogone/azur", "EUR") == 20_000
    with pytest.raises(Rejected, match="known with 10000"):
        stay.card(9_999, "P2")
    with pytest.raises(Stale):
        stay.card(10_000, "P2")
    other = answered("card", through="phone")
    other.say("report_collected", at=LATER, provider="ogone", merchant="azur", provider_reference="302")
    other.card(10_000, "P2")

    assert stay.owes() == other.owes() == 0
    with pytest.raises(Rejected, match="not the money of attempt"):
        answered("cheque").say("report_collected", payment="P1")


def test_x_1_s1_45_the_message_first_and_the_report_after() -> None:
    """The attempt is collected by the message; the report changes nothing."""
    stay = answered("cheque")
    stay.card(10_000, "P2", tender="cheque", provider="", merchant="", provider_reference="", order="")
    out = stay.say("report_collected")

    assert out.facts == ()
    assert stay.owes() == 0
    assert stay.request.attempts[0].payment == "P2"


def test_s1_42_paid_by_another_way_closes_the_request() -> None:
    """Chosen by cheque, and a transfer comes on the 5th: paid, and nobody waits for the cheque."""
    stay = answered("cheque")
    stay.card(10_000, "P2", tender="bank_transfer", provider="", merchant="", provider_reference="", order="")

    assert stay.queue() is BalanceStatus.PAID
    assert stay.request.attempts[0].state is AttemptState.RELEASED
    assert stay.timers == {}


def test_s1_42_a_deposit_that_is_told_late_is_no_answer() -> None:
    """Moved in January, told while the cheque is in the post: the guest is still about to pay the balance."""
    stay = bought(deposit=False)
    stay.until(SENT)
    stay.say("choose_method", at=ANSWERED, method="card")
    stay.card(10_000, occurred_at=BOUGHT)

    assert stay.queue() is BalanceStatus.SENT_REPLIED
    assert stay.request.attempts[0].state is AttemptState.CHOSEN


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("insufficient_funds", "insufficient_funds"),
        ("card_data_invalid", "card_data_invalid"),
        ("other", "other"),
        ("the terminal was asleep", "other"),
        ("", "other"),
    ],
)
def test_s1_22_s1_23_s1_24_s1_26_disfunction(said: str, reason: str) -> None:
    """The guest is told and invited by a new link, and is among those without reply again; two reasons are known."""
    stay = answered("card", through="phone", token="tok_1")
    told = fact(stay.say("report_disfunction", at=LATER, reason=said), BalanceDisfunction)

    assert (told.reason, told.said, told.attempt, told.link, told.amount) == (reason, said, 1, 2, 10_000)
    assert stay.queue() is BalanceStatus.SENT_NO_REPLY
    assert stay.request.attempts[0].state is AttemptState.FAILED
    assert stay.request.attempts[0].token == ""
    assert stay.until("2026-07-04T12:00:00+02:00") == []


def test_s1_27_each_attempt_keeps_its_number_and_history() -> None:
    """Failed, chosen anew, collected: two attempts, and a report of the first changes nothing."""
    stay = answered("card", through="phone")
    stay.say("report_disfunction", reason="card_data_invalid")
    assert stay.say("report_disfunction", attempt=1).facts == ()
    stay.say("choose_method", method="bank_transfer")
    assert stay.say("report_disfunction", attempt=1).facts == ()
    stay.say("report_collected", attempt=2)

    assert [(one.number, one.state.value) for one in stay.request.attempts] == [(1, "failed"), (2, "collected")]
    assert stay.request.attempts[0].reason == "card_data_invalid"


def test_s1_27_a_disfunction_after_the_money_is_refused() -> None:
    stay = collected()
    with pytest.raises(Rejected) as no:
        stay.say("report_disfunction")

    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == ("already_collected", "S1-27", "attempt", "1")
    assert stay.owes() == 0


@pytest.mark.parametrize("action", ["report_collected", "report_disfunction"])
def test_s1_27_an_attempt_that_never_was(action: str) -> None:
    stay = answered()
    with pytest.raises(Rejected) as no:
        stay.say(action, attempt=2)

    assert (no.value.code, no.value.field, no.value.value) == ("unknown_attempt", "attempt", "2")


def test_s1_27_an_attempt_that_failed_is_not_collected() -> None:
    """While another is under way: such money is told as a payment."""
    stay = answered()
    stay.say("report_disfunction")
    stay.say("choose_method", method="card")
    with pytest.raises(Rejected, match=r"payment\.received"):
        stay.say("report_collected", attempt=1)


def test_x_15_a_guest_reports_no_collection() -> None:
    stay = answered()
    with pytest.raises(Rejected) as no:
        stay.say("report_collected", actor=GUEST)

    assert no.value.code == "not_allowed"


def test_s1_38_a_disfunction_during_the_stay_invites_nobody() -> None:
    """The guest is there: the merchant asks him."""
    stay = answered()
    stay.until("2026-07-25T10:00:00+02:00")
    told = fact(stay.say("report_disfunction"), BalanceDisfunction)

    assert told.link == 0
    assert stay.until("2026-07-30T00:00:00+02:00") == []


def test_s1_34_a_change_while_the_guest_has_chosen_waits() -> None:
    """Dearer by 100 while the cheque is in the post: the cheque comes, and the difference is asked for."""
    stay = answered("cheque")
    stay.book(ordered(line(price=30_000), payment_plan="split", service_fee=0))
    assert stay.queue() is BalanceStatus.SENT_REPLIED
    assert stay.request.amount == 20_000
    stay.say("report_collected")
    (sent,) = stay.until(LATER)

    assert isinstance(sent, BalanceSent)
    assert (sent.amount, sent.link) == (10_000, 2)


@given(
    st.lists(
        st.sampled_from(
            [
                "cheque",
                "card",
                "collected",
                "less",
                "disfunction",
                "resend",
                "transfer",
                "suspend",
                "dearer",
                "cheaper",
                "midnight",
                "told",
                "cancelled",
                "of the first",
            ]
        ),
        max_size=12,
    )
)
def test_s1_20_s1_27_x_4_whatever_is_said(acts: list[str]) -> None:
    """One live request and link, no money twice, and what is over stays over (`Asked.asks_once`), in any order of acts."""
    stay, clock = asked(camp=asking(grace_days=30)), 2
    for number, act in enumerate(acts):
        clock = min(clock + (act == "midnight"), 20)
        try:
            _act(stay, act, f"2026-07-{clock:02}T10:00:00+02:00", number)
        except (Rejected, Stale):
            continue
    assert stay.owes() == account.balance(stay.folio)


def _act(stay: Asked, act: str, at: str, number: int) -> None:
    stay.until(at)
    bare = {"provider": "", "merchant": "", "provider_reference": "", "order": ""}
    match act:
        case "cheque" | "card":
            stay.say("choose_method", method=act)
        case "collected":
            stay.say("report_collected")
        case "less":
            stay.say("report_collected", amount=1_000)
        case "disfunction":
            stay.say("report_disfunction")
        case "resend":
            stay.say("resend")
        case "suspend":
            stay.say("suspend", until="2026-07-21")
        case "transfer":
            stay.card(2_500, f"T{number}", tender="bank_transfer", **bare)
        case "cancelled":
            stay.told_cancelled()
        case "of the first":
            stay.say("report_collected", request=stay.folio.balance_requests[0].request)
        case "told":
            stay.card(10_000, f"T{number}", tender="cheque", **bare)
        case "dearer" | "cheaper":
            price = stay.folio.lines[0].price + (5_000 if act == "dearer" else -5_000)
            stay.book(ordered(line(price=max(0, price)), payment_plan="split", service_fee=0))
