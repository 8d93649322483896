"""The number of a voucher in what a notice says: whoever knows it can spend it, so it is found when the mail is sent, in the folio, which
has it anyway, and lies in no notice.

What lies there is which of the folio's vouchers is meant (`voucher`: 0 the one that was issued for it, n the n-th that pays it), and of
the number its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.voucher_schedule import voucher_of
from schemas.folio import Folio
from schemas.folio_voucher import FolioVoucher
from schemas.voucher_code import masked, normalised

ISSUED: Final = 0


def hidden(said: Mapping[str, Any], folio: Folio) -> dict[str, Any]:
    """What a notice may say, with of each voucher's number only its end (S0-32). Without a number it is what it was."""
    safe = dict(said)
    if "number" in said:
        safe |= {"number": masked(said["number"]), "voucher": _place(said["number"], folio)}
    return safe


def numbered(said: Mapping[str, Any]) -> bool:
    """Whether it names a voucher that the mail needs the number of."""
    return isinstance(said.get("voucher"), int)


def whole(said: Mapping[str, Any], folio: Folio | None) -> dict[str, Any]:
    """The same with the number, for the mail alone. One that the folio does not have any more stays hidden."""
    if not numbered(said) or folio is None:
        return dict(said)
    voucher = entered(said, folio)
    number = voucher.number if voucher is not None else ""
    if said["voucher"] == ISSUED and folio.issued is not None:
        number = folio.issued.number
    return {**said, "number": number or said["number"]}


def entered(said: Mapping[str, Any], folio: Folio) -> FolioVoucher | None:
    """The voucher that pays the booking and that a notice is about; None: it is about none of these."""
    place = said["voucher"]
    return folio.vouchers[place - 1] if 0 < place <= len(folio.vouchers) else None


def _place(number: str, folio: Folio) -> int:
    voucher = voucher_of(folio, normalised(number))
    return folio.vouchers.index(voucher) + 1 if voucher is not None else ISSUED
