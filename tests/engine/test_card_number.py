"""S1-25, S1-28: a card's own number as it is typed where a token belongs, from the door to what is decided."""

from __future__ import annotations

import pytest

from engine.collectable import collectable
from schemas.errors import HubError
from tests.engine.sandbox import arrival
from tests.engine.test_lists import asking, owes


@pytest.mark.parametrize(
    ("token", "code", "taken"),
    [
        pytest.param("4111111111111111", "card_number_removed", True, id="its check digit fits"),
        pytest.param("4111 1111 1111 1111", "card_number_removed", True, id="as people write it"),
        pytest.param("4111111111111112", "", False, id="another digit: no number of any card"),
        pytest.param("tok_card_4f1a", "", False, id="a token"),
    ],
)
def test_s1_25_s1_28_a_card_number_is_no_token(token: str, code: str, taken: bool) -> None:
    """Told by its check digit at the door, taken out there, and refused by the decision; no attempt begins by it."""
    box = asking()
    owes(box, "B-1")
    box.say("balance.send_now", {"folio": "B-1"}, actor="operator")
    data = {"folio": "B-1", "method": "card", "token": token}
    (receipt,) = box.append(arrival("m-card", "balance.choose_method", data, actor="guest"))
    told = dict(box.drain())

    assert receipt.warnings == (("card data removed at token",) if taken else ())
    assert told.get("balance.refused", {}).get("code", "") == code
    assert (len(box.folio().balance_requests[0].attempts) == 0) is taken
    stored = [bytes(row["body"]) for row in box.rows("SELECT body FROM intake UNION ALL SELECT body FROM outbox")]
    assert any(token.encode() in body for body in stored) is not taken


@pytest.mark.parametrize(
    ("mandate", "taken"),
    [
        pytest.param("4111111111111111", True, id="a card number"),
        pytest.param("4111-1111-1111-1111", True, id="as people write it"),
        pytest.param("4111111111111112", False, id="digits that are no number of any card"),
        pytest.param("FR47ZZZ123456-2026-0001", False, id="as banks write one"),
        pytest.param("RF18539007547034", False, id="a creditor's reference"),
    ],
)
def test_x_10_s1_28_a_card_number_is_no_mandate(mandate: str, taken: bool) -> None:
    """Neither of an answer, which is refused, nor of a payment, which is taken without it; nobody is shown one by "Get Payment"."""
    box = asking()
    owes(box, "B-1")
    box.say("balance.send_now", {"folio": "B-1"}, actor="operator")
    answer = {"folio": "B-1", "method": "card", "token": "tok_card_4f1a", "mandate": mandate, "mandate_version": "fr/3"}
    (receipt,) = box.append(arrival("m-answer", "balance.choose_method", answer, actor="guest"))
    told = dict(box.drain())
    request = box.folio().balance_requests[0].request
    if taken:
        with pytest.raises(HubError):
            collectable(box.hub.reading, "azur", request)
    else:
        assert collectable(box.hub.reading, "azur", request).mandate == mandate
    card = {
        "amount": 1_000,
        "currency": "EUR",
        "tender": "card",
        "provider": "ogone",
        "merchant": "azur",
        "provider_reference": "3002",
    }
    consent = {"initiation": "mit", "mandate": mandate, "mandate_version": "fr/3"}
    box.append(arrival("m-paid", "payment.received", {"folio": "B-1", "payment": "P2", **card, **consent}))
    box.drain()
    paid = box.folio().payments[-1]

    assert receipt.warnings == (("card data removed at mandate",) if taken else ())
    assert told.get("balance.refused", {}).get("field", "") == ("mandate" if taken else "")
    assert (paid.captured, paid.mandate, [flag.value for flag in paid.flags]) == (
        (1_000, "", ["mandate_missing"]) if taken else (1_000, mandate, [])
    )
    stored = [bytes(row["body"]) for table in ("intake", "outbox", "state") for row in box.rows(f"SELECT body FROM {table}")]
    assert any(mandate.encode() in body for body in stored if body) is not taken
