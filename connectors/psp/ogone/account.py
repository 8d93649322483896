"""One merchant's account at Ogone as our configuration holds it, and the guard that keeps test and live keys apart (X-27)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from connectors.psp.ogone import parameters
from connectors.psp.ogone.signature import Algorithm, Charset, Rule, Scheme
from schemas.errors import Rejected
from schemas.money import exponent

TEST_BASE_URL = "https://ogone.test.v-psp.com/ncol/test/"
LIVE_BASE_URL = "https://secure.ogone.com/ncol/prod/"


class Environment(StrEnum):
    """Which of the provider's worlds the keys belong to."""

    TEST = "test"
    LIVE = "live"


class LevelAmounts(StrEnum):
    """What the amount of a history level is: that operation's own, or all operations of its kind so far."""

    OPERATION = "operation"
    CUMULATED = "cumulated"


class Signing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both sides of an account have agreed on for signatures, without the passphrases."""

    algorithm: Algorithm = Algorithm.SHA512
    charset: Charset = Charset.LATIN1
    scheme: Scheme = Scheme.ALL
    in_parameters: tuple[str, ...] = parameters.SHA_IN
    out_parameters: tuple[str, ...] = parameters.SHA_OUT
    in_order: tuple[str, ...] = parameters.MAIN_IN
    out_order: tuple[str, ...] = parameters.MAIN_OUT

    @property
    def signs_in(self) -> Rule:
        """How what the merchant sends is signed."""
        return Rule(
            algorithm=self.algorithm,
            charset=self.charset,
            scheme=self.scheme,
            names=self.in_parameters,
            order=self.in_order,
        )

    @property
    def signs_out(self) -> Rule:
        """How what the provider sends is signed."""
        return Rule(
            algorithm=self.algorithm,
            charset=self.charset,
            scheme=self.scheme,
            names=self.out_parameters,
            order=self.out_order,
        )


class OgoneAccount(Signing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys and habits of one account. Secrets are `pswd`, `sha_in` and `sha_out`; they never appear in `repr`.

    `merchant` is our name for it. `sha_in` signs what we send; each of `sha_out` is accepted on what comes back, so that a
    passphrase can be changed at the provider without losing a callback: put the new one beside the old, change it there,
    take the old one away. `wire_digits` overrides, per currency, how many decimals AMOUNT has on the wire (2 by default,
    whatever the currency). `page_suffix` is `_utf8` for accounts that use the UTF-8 pages.
    Raises Rejected, naming the field, for an account that cannot work or mixes test and live.
    """

    merchant: str
    pspid: str
    userid: str
    pswd: str
    sha_in: str
    sha_out: tuple[str, ...]
    base_url: str = TEST_BASE_URL
    environment: Environment = Environment.TEST
    level_amounts: LevelAmounts = LevelAmounts.OPERATION
    wire_digits: Mapping[str, int] = msgspec.field(default_factory=dict)
    page_suffix: str = ""

    def __post_init__(self) -> None:
        for name in ("merchant", "pspid", "userid", "pswd", "sha_in"):
            if not getattr(self, name):
                raise Rejected(f"Ogone account {self.merchant!r}: {name} is empty", code="bad_account", field=name)
        if not self.sha_out or not all(self.sha_out):
            raise Rejected(f"Ogone account {self.merchant!r}: sha_out is empty", code="bad_account", field="sha_out")
        for name, secret in [("sha_in", self.sha_in), *(("sha_out", text) for text in self.sha_out)]:
            try:
                secret.encode(self.charset.value)
            except UnicodeEncodeError:
                text = f"Ogone account {self.merchant!r}: {name} has a character that {self.charset.value} cannot write"
                raise Rejected(text, code="bad_account", field=name) from None
        for currency, digits in self.wire_digits.items():
            exponent(currency)
            if not 0 <= digits <= 4:
                text = f"Ogone account {self.merchant!r}: wire_digits of {currency} is {digits}, not 0 to 4"
                raise Rejected(text, code="bad_account", field="wire_digits", value=digits)
        guard_endpoint(self.environment, self.base_url)

    def __repr__(self) -> str:
        return f"OgoneAccount(merchant={self.merchant!r}, pspid={self.pspid!r}, environment={self.environment.value!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("merchant", self.merchant), ("pspid", self.pspid), ("environment", self.environment.value)]

    def page(self, stem: str) -> str:
        """Address of one of the provider's pages: `maintenancedirect`, `querydirect`, `orderdirect`."""
        return f"{self.base_url.rstrip('/')}/{stem}{self.page_suffix}.asp"


def guard_endpoint(environment: Environment, base_url: str) -> None:
    """Test keys meet only test endpoints or loopback, live keys only live ones; anything else is refused (X-27).

    The provider and its resellers tell their worlds apart by the path: `/ncol/test` and `/ncol/prod`. Raises Rejected.
    """
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    path = parts.path.lower().rstrip("/") + "/"
    if not host or parts.query or parts.fragment or parts.username or parts.password:
        raise Rejected("base_url is not a plain address", code="wrong_endpoint", field="base_url", value=host)
    if _loopback(host):
        if environment is Environment.TEST and parts.scheme in ("http", "https"):
            return
        raise Rejected("live keys do not meet a loopback address", code="wrong_endpoint", field="base_url", value=host)
    if parts.scheme != "https":
        raise Rejected(f"base_url {host} is not https", code="wrong_endpoint", field="base_url", value=parts.scheme)
    test = "/ncol/test/" in path
    live = "/ncol/prod/" in path and ".test." not in host
    if test == live or live != (environment is Environment.LIVE):
        text = f"{environment.value} keys do not meet {host}{parts.path}"
        raise Rejected(text, code="wrong_endpoint", field="base_url", value=f"{host}{parts.path}")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
