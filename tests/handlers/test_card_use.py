"""X-21: how a card was used. The table of docs/rules/payment.md is the table of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from handlers.card_use import BY_ECI, used
from handlers.outcome import Outcome
from schemas.balance_request import AttemptState, BalanceAttempt, BalanceRequest, BalanceStatus
from schemas.booking import SaleChannel
from schemas.folio import FolioPayment, PaymentStatus
from schemas.payment import CardFlag, Initiation, PaymentCaptured, PaymentFlagged, Tender
from tests.handlers.campsite import fact, kinds, paid
from tests.handlers.cancelling import Leaving, leaving

PAGE = Path(__file__).parents[2].joinpath("docs/rules/payment.md").read_text(encoding="utf-8")


def rows() -> list[dict[str, str]]:
    """The table of what is flagged, by column."""
    part = PAGE.partition("\n## How a card was used")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("| ")]
    start = next(place for place, row in enumerate(cells) if row[0] == "sold by")
    return [dict(zip(cells[start], row, strict=True)) for row in cells[start + 1 :]]


ANSWERS = {
    "phone": {"initiation": Initiation.MOTO},
    "web": {"initiation": Initiation.CIT},
    "token": {"initiation": Initiation.MIT, "mandate": "M7", "mandate_version": "fr/2"},
}


def answered(stay: Leaving, how: str) -> None:
    """The guest was asked for the balance and has answered so."""
    attempt = BalanceAttempt(number=1, method=Tender.CARD, amount=10_000, at=stay.folio.booked_at, **ANSWERS[how])
    day = stay.folio.booked_at.date()
    request = BalanceRequest(
        request="Q1", status=BalanceStatus.SENT_REPLIED, amount=10_000, planned=day, deadline=day, send_on=day, attempts=(attempt,)
    )
    stay.state = replace(stay.folio, balance_requests=(request,))


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row.values())) for row in rows()])
def test_x_21_what_does_not_fit_is_flagged(row: dict[str, str]) -> None:
    """Row by row; the money is taken all the same, and told once."""
    stay = leaving(0, channel=row["sold by"])
    if row["answered by"] != "–":
        answered(stay, row["answered by"])
    names = {"initiation": "initiation", "eci": "eci", "through": "through", "mandate": "mandate", "text": "mandate_version"}
    said = {name: row[column] for column, name in names.items() if row[column] != "–"}
    out = stay.card(10_000, **said)

    assert fact(out, PaymentCaptured).amount == 10_000
    flags = () if row["flagged"] == "–" else (row["flagged"],)
    assert stay.payment().flags == flags
    assert [one.flags for one in out.facts if isinstance(one, PaymentFlagged)] == ([flags] if flags else [])
    assert "PaymentFlagged" not in kinds(stay.card(1_000, name="payment.reversed"))
    if row["answered by"] == "token":
        assert (stay.payment().mandate, stay.payment().mandate_version) == ("M7", "fr/2")


def test_x_21_every_code_of_the_page() -> None:
    """The table of codes is documented."""
    header, _, began = [line for line in PAGE.partition("## How a card was used")[2].splitlines() if line.startswith("|")][:3]
    codes, words = ([cell.strip() for cell in row.strip("|").split("|")][1:] for row in (header, began))

    assert {("ogone", code): word for many, word in zip(codes, words, strict=True) for code in many.split(", ")} == BY_ECI


def test_x_21_another_provider_says_it_otherwise() -> None:
    """Its codes are not Ogone's, and no tender but a card is used so."""
    stay = leaving(0)
    stay.card(500, provider="stripe", eci="1")
    assert stay.payment().initiation is Initiation.UNKNOWN
    stay.pay(paid(500, "P2", tender="bank_transfer", initiation="moto"))
    assert stay.payment("P2").flags == ()


def test_x_21_an_authorisation_is_flagged_once() -> None:
    """And not again when it is captured; what is new is told."""
    stay = leaving(0)
    assert fact(stay.card(10_000, name="payment.authorised", initiation="mit", mandate=""), PaymentFlagged).flags == (
        CardFlag.MANDATE_MISSING,
    )
    out = stay.card(10_000, mandate="M1")
    assert fact(out, PaymentFlagged).flags == (CardFlag.MANDATE_VERSION_MISSING,)
    assert stay.payment().flags == (CardFlag.MANDATE_MISSING, CardFlag.MANDATE_VERSION_MISSING)


def test_x_21_what_pays_a_balance_came_as_that_was_answered() -> None:
    """One attempt by web, one by phone: each payment by its own."""
    stay = leaving(0)
    assert stay.folio.channel is SaleChannel.WEB
    answered(stay, "web")
    (request,) = stay.folio.balance_requests
    by_web = replace(request.attempts[0], payment="P1", state=AttemptState.COLLECTED)
    by_phone = replace(by_web, number=2, payment="P2", initiation=Initiation.MOTO)
    folio = replace(stay.folio, balance_requests=(replace(request, attempts=(by_web, by_phone)),))

    def flagged(payment: str) -> Outcome:
        known = FolioPayment(
            payment=payment, tender=Tender.CARD, status=PaymentStatus.CAPTURED, position=0, initiation=Initiation.MOTO
        )
        return used(folio, known)[1]

    assert kinds(flagged("P1")) == ["PaymentFlagged"]
    assert kinds(flagged("P2")) == []
