"""Which first digits a card number may have, and how long it is then: a table."""

from __future__ import annotations

from typing import Final

ISSUERS: Final[tuple[tuple[str, str, frozenset[int]], ...]] = (
    ("4", "4", frozenset((13, 16, 18, 19))),  # Visa
    ("51", "55", frozenset((16,))),  # Mastercard
    ("2221", "2720", frozenset((16,))),  # Mastercard
    ("34", "34", frozenset((15,))),  # American Express
    ("37", "37", frozenset((15,))),
    ("300", "305", frozenset((14, 16, 17, 18, 19))),  # Diners Club
    ("3095", "3095", frozenset((14, 16, 17, 18, 19))),
    ("36", "36", frozenset((14, 16, 17, 18, 19))),
    ("38", "39", frozenset((14, 16, 17, 18, 19))),
    ("3528", "3589", frozenset((16, 17, 18, 19))),  # JCB
    ("2131", "2131", frozenset((15,))),
    ("1800", "1800", frozenset((15,))),
    ("6011", "6011", frozenset((16, 17, 18, 19))),  # Discover
    ("644", "659", frozenset((16, 17, 18, 19))),
    ("62", "62", frozenset((16, 17, 18, 19))),  # UnionPay
    ("81", "82", frozenset((16, 17, 18, 19))),  # UnionPay, RuPay
    ("60", "61", frozenset((16,))),  # RuPay and private cards
    ("5018", "5018", frozenset(range(12, 20))),  # Maestro
    ("5020", "5020", frozenset(range(12, 20))),
    ("5038", "5038", frozenset(range(12, 20))),
    ("5893", "5893", frozenset(range(12, 20))),
    ("6304", "6304", frozenset(range(12, 20))),
    ("6759", "6763", frozenset(range(12, 20))),
    ("50", "50", frozenset((16, 18, 19))),
    ("56", "58", frozenset((16, 18, 19))),
    ("63", "63", frozenset((16, 18, 19))),
    ("66", "69", frozenset((16, 17, 18, 19))),  # Bancontact has 17
    ("2200", "2204", frozenset((16, 17, 18, 19))),  # Mir
    ("9792", "9792", frozenset((16,))),  # Troy
)
"""First digits (from, to: inclusive, same width) and the lengths that issuers give them. ISO/IEC 7812 registries of the schemes."""
