"""Callbacks (post-sale feedback): raw text of a query string or a form in, verified values out. Pure.

The signature is checked on the bytes as they came, before anything is read out of them. A callback settles nothing: it tells
which payment to query. It has no id of its own: its identity is a digest of what it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from connectors.psp.ogone import codes, evidence, form, signature
from connectors.psp.ogone.account import OgoneAccount
from schemas.effect import RecordKind, Result
from schemas.errors import Rejected, Undecodable
from schemas.money import Money

# Of no use to us and somebody's: left out of what is handed on.
PERSONAL = evidence.CARD | {"EMAIL", "IP", "BIN", "COLLECTOR_BIC", "COLLECTOR_IBAN", "DEVICEID"}


class WrongSignature(Rejected):
    """The signature does not fit. The message says no more than that; `differs` and `reason` are for the log only."""

    code = "wrong_signature"

    def __init__(self, *, differs: str, reason: str) -> None:
        super().__init__("the signature does not fit", field="SHASIGN")
        self.differs = differs
        self.reason = reason


class CallbackValues(msgspec.Struct, frozen=True, kw_only=True):
    """A verified callback. `fields`: what was signed, by upper-case name, without personal and card data (`scrubbed` names
    the fields in which a card number or a security code was found). `unsigned`: what anyone may have written (PARAMPLUS).
    `amount_text` is the amount as signed, `minor` its value, None where there is none. `kind` and `result` are what the
    status says, not what is true. `passphrase`: which of the account's `sha_out` fitted, 0 the first."""

    merchant: str
    order: str
    reference: str
    level: str
    status: str
    kind: RecordKind
    result: Result
    ncerror: str
    amount_text: str
    currency: str
    minor: int | None
    identity: str
    passphrase: int
    fields: Mapping[str, str]
    unsigned: Mapping[str, str]
    scrubbed: tuple[str, ...] = ()


def verify(raw: bytes | str, account: OgoneAccount) -> CallbackValues:
    """What a callback says, once its signature is known to be the provider's.

    `raw` is the query string of a GET or the body of a POST, untouched. Raises WrongSignature; Undecodable for text that is no
    form, is too long or says one parameter twice (`repeated_parameter`).
    """
    data = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else raw
    values = form.parameters(data)
    given = values.pop("SHASIGN", b"").decode("ascii", "replace").strip()
    rule = account.signs_out
    verdict = signature.verify(values, given, account.sha_out, rule)
    if not verdict.ok:
        raise WrongSignature(differs=verdict.differs, reason=verdict.reason)
    text = {name: form.text(value) for name, value in values.items()}
    fixed = rule.scheme is signature.Scheme.MAIN
    signed = {name for name in text if (name in rule.order if fixed else signature.listed(name, rule.names))}
    scrubbed = tuple(sorted(name for name, value in text.items() if _holds_card(name, value)))
    kept = {n: evidence.kept_value(n, v) for n, v in sorted(text.items()) if v and (n == "CARDNO" or n not in PERSONAL)}
    return _values({n: v for n, v in kept.items() if n in signed}, {n: v for n, v in kept.items() if n not in signed}, account,
                   verdict.passphrase, scrubbed)  # fmt: skip


def _holds_card(name: str, value: str) -> bool:
    return (name == "CVC" and bool(value)) or (name not in evidence.REFERENCES and evidence.holds_card(value))


def _values(
    signed: Mapping[str, str], unsigned: Mapping[str, str], account: OgoneAccount, passphrase: int, scrubbed: tuple[str, ...]
) -> CallbackValues:
    status, amount, currency = signed.get("STATUS", ""), signed.get("AMOUNT", ""), signed.get("CURRENCY", "")
    kind, result = codes.status_meaning(status)
    said = "\n".join(f"{name}={value}" for name, value in signed.items())
    return CallbackValues(
        merchant=account.merchant,
        order=signed.get("ORDERID", ""),
        reference=signed.get("PAYID", ""),
        level=signed.get("PAYIDSUB", ""),
        status=status,
        kind=kind,
        result=result,
        ncerror=signed.get("NCERROR", ""),
        amount_text=amount,
        currency=currency,
        minor=amount_minor(amount, currency) if amount and currency else None,
        identity=hashlib.sha256(said.encode("utf-8")).hexdigest(),
        passphrase=passphrase,
        fields=dict(signed),
        unsigned=dict(unsigned),
        scrubbed=scrubbed,
    )


def amount_minor(text: str, currency: str) -> int:
    """Minor units of a callback's amount (`15`, `15.1`, `15.12`). Raises Undecodable for what is no amount (`NaN`)."""
    try:
        return Money.parse(text, currency).minor
    except ValueError as error:
        raise Undecodable(str(error), code="amount_not_a_number", field="AMOUNT", value=text) from None
