"""Card guarantees in a message (X-22): that there was one is told, a proxy's token is kept, the card itself is never read out."""

from __future__ import annotations

from lxml import etree

from connectors.channels.ota.tags import inside
from schemas.cards import is_card

_SECRET_ATTRIBUTES = frozenset((
    "CardNumber", "MaskedCardNumber", "SeriesCode", "ExpireDate", "EncryptedValue", "Mask", "CVV", "CVC", "TrackData", "Token",
))  # fmt: skip
_SECRET_ELEMENTS = frozenset((
    "CardNumber", "SeriesCode", "MagneticStripe", "CardHolderName", "ThreeDomainSecurity", "CVV", "CVC",
))  # fmt: skip
_HOLDERS = ("{*}PaymentCard", "{*}CreditCard", "{*}BankAcct")
_LONGEST_TOKEN = 200


def scan(element: etree._Element) -> tuple[str, tuple[str, ...]]:
    """X-22: the payment token, empty for none, and the names of what stood there of cards and accounts: `PaymentCard/@CardNumber`.

    A card's brand alone is no guarantee. A "token" that is a card number is one.
    """
    token, names = "", dict[str, None]()
    for card in element.iter(*_HOLDERS):
        for name, value in _parts(card):
            if value and len(value) <= _LONGEST_TOKEN and not _is_number(value):
                token = token or value
            else:
                names[name] = None
    return token, tuple(names)


def _parts(card: etree._Element) -> list[tuple[str, str]]:
    """What a PaymentCard carries, by name, and the values of tokens only."""
    holder = _local(card)
    if holder == "BankAcct":
        return [(holder, "")]
    found = [
        (f"{holder}/@{key}", str(value).strip() if key == "Token" else "")
        for key, value in card.items()
        if key in _SECRET_ATTRIBUTES
    ]
    for part in inside(card):
        name = _local(part)
        if name not in _SECRET_ELEMENTS:
            continue
        token = part.get("Token", "").strip()
        if token:
            found.append((f"{holder}/{name}/@Token", token))
        if not token or len(part) or (part.text or "").strip() or part.get("EncryptedValue") or part.get("Mask"):
            found.append((f"{holder}/{name}", ""))
    return found


def _is_number(token: str) -> bool:
    return is_card("".join(c for c in token if c.isdecimal())) and all(c.isdecimal() or c in " -." for c in token)


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2]
