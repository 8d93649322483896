"""Codes of vouchers: the ones that the hub issues, unguessable and typeable, and one spelling for whatever is typed (S0-6, S0-32).

A code is made of luck that is given; none is drawn here.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from stdnum.iso7064 import mod_37_36

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Thirty characters that nobody mistakes for another; 31 is prime, so that the check of ISO 7064's hybrid system sees every wrong character
and nearly every two that changed places."""
DRAWN: Final = 11
"""Characters of luck: 30 to the 11th, 54 bits."""
LENGTH: Final = DRAWN + 1
_GROUP: Final = 4
_LOOKALIKES: Final = str.maketrans("АВСЕНІЈКМОРЅТХУΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABCEHIJKMOPSTXYABEZHIKMNOPTYX")
"""Capitals of Cyrillic and of Greek that are printed as a Latin one is."""


def code_of(luck: bytes) -> str:
    """S0-32: the code that 16 bytes of luck give, its check character last: `7KQM2X9R4TBW`."""
    rest = int.from_bytes(luck, "big") % len(ALPHABET) ** DRAWN
    drawn = ""
    for _ in range(DRAWN):
        rest, place = divmod(rest, len(ALPHABET))
        drawn += ALPHABET[place]
    return drawn + mod_37_36.calc_check_digit(drawn, ALPHABET)


def written(number: str) -> str:
    """A code of ours in groups of four, as it is shown to people; any other number as it is."""
    if not ours(number):
        return number
    return "-".join(number[at : at + _GROUP] for at in range(0, LENGTH, _GROUP))


def masked(number: str) -> str:
    """A number, in its one spelling, as it is shown where nobody needs it whole, since who has it can spend it: `…4TBW`. Enough to tell
    one's own vouchers apart, too little to spend one: none of it for a number that is short."""
    return "…" + (number[-_GROUP:] if len(number) > 2 * _GROUP else "")


def normalised(number: str) -> str:
    """S0-6: one spelling of a typed number: its letters, as capitals, and its digits, and nothing else that was typed, seen or unseen;
    empty if nothing is left. Capitals of other scripts that look like Latin ones are those, where no other letter of their script says
    that it is a word of theirs."""
    capitals = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", number).upper())
    kept = "".join(str(unicodedata.decimal(character, character)) for character in capitals if character.isalnum())
    bare = unicodedata.normalize("NFKC", kept)  # letters that something stood between may be one now
    folded = bare.translate(_LOOKALIKES)
    return folded if all(map(_latin, folded)) else bare


def mixed(number: str) -> bool:
    """S0-6: whether a number, in its one spelling, has letters of Latin and of another script: one may be taken for the other."""
    letters = [_latin(character) for character in number if not character.isdecimal()]
    return any(letters) and not all(letters)


def _latin(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith("LATIN ")


def shaped_as_ours(number: str) -> bool:
    """Whether a number, in its one spelling, could be a code of ours but for its check character."""
    return len(number) == LENGTH and not set(number) - set(ALPHABET)


def ours(number: str) -> bool:
    """S0-32: whether a number, in its one spelling, is a code as the hub makes them: its check character fits."""
    return shaped_as_ours(number) and bool(mod_37_36.is_valid(number, ALPHABET))
