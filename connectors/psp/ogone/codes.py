"""Ogone's status and NCERROR numbers in our words, as tables. What is not listed is UNKNOWN.

Sources: the provider's "Payments info" list for the texts; disputed readings go to the careful side: only what every reading
calls a yes or a no is one. "Handled by merchant" (75, 85, 95) is a note in the back office, not a movement: a person reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from schemas.effect import EffectKind, RecordKind, Result

_A, _C, _R, _V, _O = (
    RecordKind.AUTHORISATION,
    RecordKind.CAPTURE,
    RecordKind.REFUND,
    RecordKind.VOID,
    RecordKind.OTHER,
)

# 84 is read as a refund, as a refund refused and as a payment refused by different lists: UNKNOWN, for a person.
# 94 is refused in every reading; most lists say that it is a refund.
STATUS: Mapping[str, tuple[RecordKind, Result]] = {
    "0": (_O, Result.REFUSED),  # invalid or incomplete; on maintenance and query it speaks of that call only
    "1": (_A, Result.REFUSED),
    "2": (_A, Result.REFUSED),
    "4": (_A, Result.ACCEPTED),
    "40": (_A, Result.ACCEPTED),
    "41": (_A, Result.ACCEPTED),
    "46": (_A, Result.ACCEPTED),
    "5": (_A, Result.CONFIRMED),
    "50": (_A, Result.ACCEPTED),
    "51": (_A, Result.ACCEPTED),
    "52": (_A, Result.UNKNOWN),
    "55": (_A, Result.ACCEPTED),
    "56": (_A, Result.CONFIRMED),
    "57": (_A, Result.REFUSED),
    "59": (_A, Result.ACCEPTED),
    "6": (_V, Result.CONFIRMED),
    "61": (_V, Result.ACCEPTED),
    "62": (_V, Result.UNKNOWN),
    "63": (_V, Result.REFUSED),
    "64": (_V, Result.CONFIRMED),
    "7": (_V, Result.CONFIRMED),
    "71": (_V, Result.ACCEPTED),
    "72": (_V, Result.UNKNOWN),
    "73": (_V, Result.REFUSED),
    "74": (_V, Result.CONFIRMED),
    "75": (_V, Result.UNKNOWN),
    "8": (_R, Result.CONFIRMED),
    "81": (_R, Result.ACCEPTED),
    "82": (_R, Result.UNKNOWN),
    "83": (_R, Result.REFUSED),
    "84": (_R, Result.UNKNOWN),
    "85": (_R, Result.UNKNOWN),
    "88": (_O, Result.UNKNOWN),  # the query itself failed
    "9": (_C, Result.CONFIRMED),
    "91": (_C, Result.ACCEPTED),
    "92": (_C, Result.UNKNOWN),
    "93": (_C, Result.REFUSED),
    "94": (_R, Result.REFUSED),
    "95": (_C, Result.UNKNOWN),
    "96": (_R, Result.REVERSED),
    "99": (_C, Result.ACCEPTED),
}

KIND_OF: Mapping[EffectKind, RecordKind] = {
    EffectKind.REFUND: RecordKind.REFUND,
    EffectKind.CAPTURE: RecordKind.CAPTURE,
    EffectKind.VOID: RecordKind.VOID,
}


class Trouble(StrEnum):
    """What an NCERROR says about the call that it answers."""

    NONE = "none"
    UNCERTAIN = "uncertain"  # will evolve, or a broken line behind the provider
    DECLINED = "declined"  # the acquirer or the issuer said no
    DUPLICATE = "duplicate"  # something of ours was there before: look it up
    STATE = "state"  # wrong original status: perhaps the echo of what we already did
    MISSING = "missing"  # original or history level not accessible
    LIMIT = "limit"  # more than captured or authorised
    INVALID = "invalid"  # the request's form
    SETUP = "setup"  # address, account, password, signature, contract
    UNLISTED = "unlisted"


def _codes(trouble: Trouble, numbers: str) -> dict[str, Trouble]:
    return dict.fromkeys(numbers.split(), trouble)


NCERROR: Mapping[str, Trouble] = {
    **_codes(Trouble.NONE, "0"),
    "": Trouble.NONE,  # success is 0 or empty
    **_codes(
        Trouble.UNCERTAIN,
        "10001001 10001016 20001001 20001002 20001003 20001004 20001005 20001006 20001007 20001008 20001009 20001010 20002001 "
        "20002003 20002005 30001010 30001015 30001056 30001998 30001999 30681001 30911001 30961001 31071001 40001001 40001012 "
        "40001134 40001998",
    ),
    **_codes(
        Trouble.DECLINED,
        "30001001 30041001 30051001 30131001 30141001 30171001 30331001 30511001 30591001 30611001 30641001",
    ),
    **_codes(Trouble.DUPLICATE, "30001002 30941001 50001113 50001133 5001133"),
    **_codes(Trouble.STATE, "50001098 50001127"),
    **_codes(Trouble.MISSING, "50001130 50001131"),
    **_codes(Trouble.LIMIT, "50001084 50001126 50001129 50001153"),
    **_codes(
        Trouble.INVALID,
        "50001054 50001074 50001087 50001093 50001111 50001115 50001120 50001121 50001122 50001125 50001128",
    ),
    **_codes(
        Trouble.SETUP,
        "50001044 50001046 50001116 50001117 50001118 50001119 50001184 50001186 50001187 50001218",
    ),
}

# What each class means for the one maintenance call that it answers, when STATUS is 0.
ANSWERED: Mapping[Trouble, Result] = {
    Trouble.NONE: Result.UNKNOWN,
    Trouble.UNCERTAIN: Result.UNKNOWN,
    Trouble.DECLINED: Result.REFUSED,
    Trouble.DUPLICATE: Result.UNKNOWN,
    Trouble.STATE: Result.UNKNOWN,
    Trouble.MISSING: Result.REFUSED,
    Trouble.LIMIT: Result.REFUSED,
    Trouble.INVALID: Result.REFUSED,
    Trouble.SETUP: Result.REFUSED,
    Trouble.UNLISTED: Result.UNKNOWN,
}


def status_meaning(status: str) -> tuple[RecordKind, Result]:
    """What a history level in this status is."""
    return STATUS.get(status, (RecordKind.OTHER, Result.UNKNOWN))


def trouble(ncerror: str) -> Trouble:
    """The class of an NCERROR."""
    return NCERROR.get(ncerror, Trouble.UNLISTED)


def maintenance_result(kind: EffectKind, status: str, ncerror: str) -> Result:
    """What a maintenance answer says of the operation that was asked for.

    A status of another kind than the operation, an error beside a success, and anything unlisted are UNKNOWN.
    """
    if status == "0":
        return ANSWERED[trouble(ncerror)]
    shown, result = status_meaning(status)
    if shown is not KIND_OF[kind]:
        return Result.UNKNOWN
    error = trouble(ncerror)
    if error is Trouble.NONE or (result is Result.REFUSED and ANSWERED[error] is Result.REFUSED):
        return result
    return Result.UNKNOWN
