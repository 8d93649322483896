"""What a merchant charges a balance by: the live attempt of a request that was answered, with its token and mandate (S1-21, S1-28).

Nothing else shows them whole (`engine.unshown`). Writes nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.balances import request_of
from engine.store import listing
from engine.store.reading import Reading
from engine.store.rows import Key
from handlers.balance_record import open_attempt, to_collect
from schemas.balance_request import BalanceStatus
from schemas.errors import HubError
from schemas.folio import Folio
from schemas.nul import NUL

_FOLIO: Final = msgspec.json.Decoder(Folio)


class Collectable(msgspec.Struct, frozen=True, kw_only=True):
    """The live attempt of a balance request; `amount` in minor units of `currency`: what is taken now, which is no more than was chosen
    (S1-34). `token` is its provider's name for the card, empty where the guest gave none; `mandate` his consent, `mandate_version` the text
    of it. `initiation` is empty for what is no card; `through`, by which way the guest gave the card, then too, and where it was not kept
    yet."""

    request: str
    folio: str
    attempt: int
    amount: int
    currency: str
    method: str
    initiation: str
    through: str
    token: str
    mandate: str
    mandate_version: str


def collectable(reading: Reading, tenant: str, request: str) -> Collectable:
    """S1-21, S1-28, "Get Payment": what the merchant charges on his own terminal or at his provider; never a card number.

    Raises HubError `unknown_request` for one that is not the tenant's, `wrong_queue` where none is answered and waits for its money.
    """
    with reading.view():
        name = listing.folio_of_request(reading, tenant, request) if NUL not in request else None
        if name is None:
            raise HubError("no balance request of that id is known", code="unknown_request", field="request", value=request)
        key = Key(tenant, "folio", name)
        folio = _FOLIO.decode(listing.bodies(reading, [key])[key])
    asked = request_of(folio, request)
    attempt = open_attempt(asked)
    if asked.status is not BalanceStatus.SENT_REPLIED or attempt is None:
        text = f"balance request {request} is {asked.status.value}: only one that is sent_replied has a payment to collect"
        raise HubError(text, code="wrong_queue", field="request", value=asked.status.value)
    return Collectable(
        request=request,
        folio=name,
        attempt=attempt.number,
        amount=to_collect(asked, attempt),
        currency=folio.currency,
        method=attempt.method.value,
        initiation=attempt.initiation.value,
        through=attempt.through.value if attempt.through is not None else "",
        token=attempt.token,
        mandate=attempt.mandate,
        mandate_version=attempt.mandate_version,
    )
