"""S1-25, S1-28: a card's own number as it is typed where a token belongs, from the door to what is decided."""

from __future__ import annotations

import pytest

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
