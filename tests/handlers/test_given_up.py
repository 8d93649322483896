"""What nobody has paid of tourist tax and insurance: paid, in part, late, authorised only, claimed, and the page's table."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import account
from ledger.balance import balance
from schemas.accounting import CreditNoteRequested, PenaltyStated, SaleStated
from schemas.booking import Overpaid
from schemas.cancellation import CancellationConfirmed
from schemas.commission import CommissionCreditNoteRequested
from schemas.effect import EffectKind
from schemas.errors import HubError
from tests.handlers.campsite import fact, line
from tests.handlers.cancelling import GUEST, MERCHANT, Leaving, before, leaving
from tests.handlers.test_accounting import Accounted
from tests.handlers.test_accounting import stay as accounted

PAGE = Path(__file__).parents[2].joinpath("docs/rules/cancellation.md").read_text(encoding="utf-8")
LINES = (line(), line("tax", 700, kind="tourist_tax", terms=""), line("ins", 900, kind="insurance", terms=""))
ALL = 22_100


def _rows() -> list[tuple[str, ...]]:
    part = PAGE.partition("\n## Tourist tax and insurance")[2].partition("\n## ")[0]
    table = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in part.splitlines() if row.startswith("|")]
    return table[2:]


def _minor(text: str) -> int:
    return round(float(text) * 100)


def _end(stay: Leaving, how: str) -> None:
    said, _, day = how.partition(", ")
    if said.lstrip("-").isdigit() and int(said) in (10, 3, -1):
        stay.leave(at=before(int(said)))
        return
    stay.told_cancelled(at=before(int(day or 3)), refund=_minor(said) if said.isdigit() else said)


def _stands(stay: Leaving) -> tuple[int, int, int, int]:
    """Kept by the house, owed to municipality and insurer, and what the guest has to the good."""
    kept, tax, insurance = (
        -sum(balance(stay.entries, name, "EUR") for name in names)
        for names in (("fees:B-1", "penalties:camp-azur"), ("taxes:B-1",), ("insurance:B-1",))
    )
    return kept, tax, insurance, -stay.owes()


def _refunded(stay: Leaving) -> int:
    return sum(refund.minor for refund in stay.folio.refunds)


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row[0]} paid, cancelled {row[1]}") for row in _rows()])
def test_x_23_s4_34_s4_25_what_nobody_paid_is_owed_to_nobody(row: tuple[str, ...]) -> None:
    """The page's table."""
    paid, how, *come = row
    stay = leaving(_minor(paid), *LINES)
    _end(stay, how)

    assert (_refunded(stay), *_stands(stay)) == tuple(map(_minor, come))


_LATE = [
    pytest.param(row, early, id=f"{row[0]} paid, {early} of it in time, cancelled {row[1]}")
    for row in _rows()
    for early in (0, 9_000)
    if _minor(row[0]) > early and row[1] not in ("full", "107", "20", "0")
]


@pytest.mark.parametrize(("row", "early"), _LATE)
def test_x_16_x_23_told_late_it_is_the_same(row: tuple[str, ...], early: int) -> None:
    """Money that had moved before covers in the same order: what stands aside last, and nothing goes back against the record's word."""
    paid, how, *come = row
    stay = leaving(early, *LINES)
    _end(stay, how)
    stay.now = before(-9)
    stay.card(_minor(paid) - early, "P2", occurred_at=before(12))

    assert (_refunded(stay), *_stands(stay)) == tuple(map(_minor, come))


@pytest.mark.parametrize(
    ("how", "taken", "stands"),
    [
        pytest.param("10", 1_400, (500, 0, 900, 0), id="fee and insurance"),
        pytest.param("3", 11_400, (10_500, 0, 900, 0), id="and the penalty"),
        pytest.param("none", 21_400, (20_500, 0, 900, 0), id="S4-25 all but the tax that falls due to nobody"),
        pytest.param("none, -1", ALL, (20_500, 700, 900, 0), id="S4-25 somebody stayed"),
    ],
)
def test_x_17_x_23_authorised_only(how: str, taken: int, stands: tuple[int, ...]) -> None:
    """What is kept is taken; where the capture is refused nobody has paid, and nobody is owed."""
    for answer, come in (("confirmed", stands), ("refused", (0, 0, 0, 0))):
        stay = leaving(0, *LINES)
        stay.card(ALL, name="payment.authorised")
        _end(stay, how)
        assert [(one.kind, one.minor) for one in stay.requests] == [(EffectKind.CAPTURE, taken)]
        stay.reply(answer)

        assert _stands(stay) == come


def test_x_17_x_23_authorised_and_told_late() -> None:
    """It is taken for what was given up, the insurance too."""
    stay = leaving(0, *LINES)
    stay.leave(at=before(3))
    assert _stands(stay) == (0, 0, 0, 0)
    (request,) = stay.card(ALL, name="payment.authorised", occurred_at=before(12)).requests
    stay.reply("confirmed")

    assert (request.kind, request.minor, _stands(stay)) == (EffectKind.CAPTURE, 11_400, (10_500, 0, 900, 0))


def test_x_16_x_23_money_of_between_two_cancellations_is_for_the_second() -> None:
    """200 of a penalty given up with the first line, then 30 paid, then the insurance stays: 9 of these are the insurer's, whenever
    they are told."""
    for late in (False, True):
        stay = leaving(0, line(terms="outdoor/nanr"), line("2", 10_000), LINES[2], service_fee=0)
        stay.leave("1", at=before(40))
        if not late:
            stay.card(3_000, occurred_at=before(30))
        stay.leave(request="R2", at=before(14))
        if late:
            stay.card(3_000, occurred_at=before(30))

        assert (_refunded(stay), *_stands(stay)) == (2_100, 0, 0, 900, 0)


@given(
    acts=st.lists(
        st.one_of(st.sampled_from(["1", "2", "ins", "tax", "all"]), st.tuples(st.integers(1, 12_000), st.booleans())), max_size=7
    ),
    days=st.integers(-1, 6),
    nature=st.sampled_from(["arrhes", "acompte"]),
)
def test_x_16_x_23_order_of_arrival_does_not_matter(acts: list[str | tuple[int, bool]], days: int, nature: str) -> None:
    """Line after line ends, what stands aside among them; a payment may be told at once or when all is over: each has the same."""
    ends = []
    for late in (False, True):
        stay = leaving(0, *LINES, line("2", 10_000, terms="outdoor/nanr"), deposit_nature=nature)
        untold = []
        for hour, act in enumerate(acts):
            stay.now = at = before(days, 8 + hour)
            if isinstance(act, str):
                with contextlib.suppress(HubError):
                    stay.leave(*(() if act == "all" else (act,)), request=f"R{hour}", at=at)
            elif late and act[1]:
                untold.append((act[0], f"P{hour}", at))
            else:
                stay.card(act[0], f"P{hour}", occurred_at=at)
        for amount, payment, at in untold:
            stay.card(amount, payment, occurred_at=at)
        ends.append((account.collected(stay.folio), *_stands(stay), stay.folio.waived, stay.folio.claim))

    assert ends[0] == ends[1]


def test_s4_25_x_23_overpaid_is_told() -> None:
    """Nothing is sent against the record's word, and somebody is told."""
    stay = leaving(ALL, *LINES)
    out = stay.told_cancelled(at=before(3), refund="none")

    assert (fact(out, Overpaid).amount, fact(out, CancellationConfirmed).kept, out.requests) == (700, ALL, ())
    assert "tourist tax of nights nobody stayed falls due to nobody: 7.00 EUR" in [step.text for step in out.trace]


def test_s4_34_x_23_a_claim_stands_with_what_it_is_for() -> None:
    """Acompte: the guest owes the premium still, and the insurer is owed it; paid or let go, both are gone."""
    stay = leaving(10_500, *LINES, deposit_nature="acompte")
    stay.leave(at=before(3))
    assert (stay.folio.claim, _stands(stay)) == (900, (10_500, 0, 900, -900))
    stay.card(900, "P2", occurred_at=before(5))

    assert (stay.folio.claim, _stands(stay)) == (0, (10_500, 0, 900, 0))


def test_s4_46_x_23_a_claim_that_the_house_lets_go() -> None:
    """Acompte and an override: what nobody owes any more is not owed to the insurer by the house."""
    stay = leaving(10_500, *LINES, deposit_nature="acompte")
    stay.ask(at=before(3), actor=GUEST)
    stay.confirm(at=before(3), actor=MERCHANT, override={"amount": 0, "reason": "nothing more is wanted"})

    assert (stay.folio.claim, _stands(stay)) == (0, (10_500, 0, 0, 0))


def test_s4_37_x_23_insurance_cancelled_alone() -> None:
    """Nobody has paid it: it is given up, and money of later is for what lives on."""
    stay = leaving(0, *LINES)
    stay.leave("ins", at=before(10))
    assert (stay.owes(), balance(stay.entries, "insurance:B-1", "EUR")) == (21_200, 0)
    stay.card(10_500, occurred_at=before(9))
    stay.leave(request="R2", at=before(3))

    assert _stands(stay) == (10_500, 0, 0, 0)


def test_s4_37_x_23_one_order_for_all_that_was_paid() -> None:
    """It was covered when it ended alone; when everything ends, what was paid is of the fee and the penalties first."""
    stay = leaving(0, line("1", 12_000), line("2", 8_000, kind="service", terms="outdoor/nanr"), *LINES[1:])
    stay.leave("ins", at=before(10))
    stay.card(1_400, occurred_at=before(11))
    assert balance(stay.entries, "insurance:B-1", "EUR") == -900
    stay.leave(request="R2", at=before(3))

    assert _stands(stay) == (1_400, 0, 0, 0)


def test_x_23_s4_38_no_commission_is_let_go_for_it() -> None:
    """What nobody paid of the insurance is not taken for a penalty that was not kept: all of the commission on the penalty stays due."""
    stay = leaving(10_500, *LINES, commission_rate="10 %")
    out = stay.leave(at=before(3))

    assert fact(out, CommissionCreditNoteRequested).amount == 1_000


def test_x_23_accountants_are_told() -> None:
    """The premium is in the credit note, the whole penalty is stated; told late, it is sold again."""
    lines = [{**one, "vat_rate": rate} for one, rate in zip(LINES, ("10 %", "0 %", "20 %"), strict=True)]
    stay = accounted(10_000, *lines)
    out = stay.leave(at=before(3))
    assert [(one.line, one.amount, one.vat) for one in fact(out, CreditNoteRequested).lines] == [
        ("1", 20_000, 1_818),
        ("tax", 700, 0),
        ("ins", 900, 150),
    ]
    assert fact(out, PenaltyStated).amount == 10_000
    late = stay.card(600, "P2", occurred_at=before(4))

    assert [(one.line, one.amount, one.vat) for one in fact(late, SaleStated).lines] == [("ins", 600, 100)]
    assert not [one for one in late.facts if isinstance(one, PenaltyStated)]
    assert isinstance(stay, Accounted)


_MONEY = st.tuples(st.integers(1, 15_000), st.sampled_from(("early", "late", "authorised")))


@given(st.lists(_MONEY, max_size=3), st.sampled_from(("10", "3", "-1", "none", "none, -1", "50")), st.booleans(), st.booleans())
def test_x_4_x_23_nobody_is_owed_what_nobody_paid(money: list[Any], how: str, acompte: bool, fails: bool) -> None:
    """Whatever is paid, when, and by what: all that third parties are owed was collected, or the guest owes it; the book says what the
    folio says."""
    stay = leaving(0, *LINES, deposit_nature="acompte" if acompte else "arrhes")
    for number, (minor, when) in enumerate(money):
        if when != "late":
            stay.card(minor, f"P{number + 2}", name="payment.authorised" if when == "authorised" else "payment.received")
    _end(stay, how)
    for request in stay.requests:
        if request.kind is EffectKind.CAPTURE:
            stay.reply("refused" if fails else "confirmed", request)
    for number, (minor, when) in enumerate(money):
        if when == "late":
            stay.card(minor, f"P{number + 2}", occurred_at=before(12))
    _, tax, insurance, overpaid = _stands(stay)

    assert 0 <= tax <= 700
    assert 0 <= insurance <= 900
    assert tax + insurance <= account.collected(stay.folio) + max(0, -overpaid)
    assert [one.minor for one in stay.entries if one.minor <= 0] == []
