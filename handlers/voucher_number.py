"""A voucher's number as it was typed: what of it the hub can take (S0-6, X-10)."""

from __future__ import annotations

from schemas.cards import CARD, CODE
from schemas.errors import Rejected
from schemas.voucher import MOST_CHARACTERS


def check_number(number: str) -> None:
    """Raises Rejected `card_number_removed` for one that was taken out at the door, since everybody's would be the same voucher then, and
    `voucher_number_too_long`."""
    if CARD in number or CODE in number:
        text = "the number looks like a payment card's and was removed at the door: give the voucher another number, with letters in it"
        raise Rejected(text, code="card_number_removed", rule="X-10", field="number", value=number[:MOST_CHARACTERS])
    if len(number) > MOST_CHARACTERS:
        text = f"a voucher's number has at most {MOST_CHARACTERS} characters, this one has {len(number)}"
        raise Rejected(text, code="voucher_number_too_long", rule="S0-6", field="number", value=len(number))
