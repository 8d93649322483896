"""Card guarantees in a message (X-22): that there was one is told, a proxy's token is kept, the card itself is never read out."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from schemas.cards import is_card

_SECRET_ATTRIBUTES = (
    "CardNumber",
    "MaskedCardNumber",
    "SeriesCode",
    "ExpireDate",
    "EncryptedValue",
    "Mask",
    "CVV",
    "CVC",
    "TrackData",
)
_SECRET_ELEMENTS = ("CardNumber", "SeriesCode", "MagneticStripe", "CardHolderName", "ThreeDomainSecurity", "CVV", "CVC")
_HOLDERS = ("{*}PaymentCard", "{*}CreditCard", "{*}BankAcct")
_LONGEST_TOKEN = 200


def scan(element: etree._Element) -> tuple[str, tuple[str, ...]]:
    """The payment token, empty for none, and the names of what stood there of cards and accounts: `PaymentCard/@CardNumber`.

    A card's brand alone is no guarantee. A "token" that is a card number is one.
    """
    token, names = "", dict[str, None]()
    for card in element.iter(*_HOLDERS):
        for name, value in _parts(card):
            if name.endswith("@Token") and 0 < len(value) <= _LONGEST_TOKEN and not _is_number(value):
                token = token or value
            else:
                names[name] = None
    return token, tuple(names)


def _parts(card: etree._Element) -> Iterator[tuple[str, str]]:
    """What a PaymentCard carries, by name; values are looked at for tokens only."""
    holder = _local(card)
    if holder == "BankAcct":
        yield holder, ""
        return
    for key, value in card.items():
        if key in _SECRET_ATTRIBUTES or key == "Token":
            yield f"{holder}/@{key}", str(value).strip()
    for part in card:
        name = _local(part)
        if name not in _SECRET_ELEMENTS:
            continue
        token = part.get("Token", "").strip()
        if token:
            yield f"{holder}/{name}/@Token", token
        if not token or len(part) or (part.text or "").strip() or part.get("EncryptedValue") or part.get("Mask"):
            yield f"{holder}/{name}", ""


def _is_number(token: str) -> bool:
    return is_card("".join(c for c in token if c.isdecimal())) and all(c.isdecimal() or c in " -." for c in token)


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2]
