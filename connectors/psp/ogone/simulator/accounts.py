"""Accounts as the provider holds them: the other side of `OgoneAccount`. The sandbox's keys are public and open nothing."""

from __future__ import annotations

from typing import Literal

import msgspec

from connectors.psp.ogone import parameters
from connectors.psp.ogone.account import OgoneAccount
from connectors.psp.ogone.signature import Algorithm, Charset, Rule, Scheme


class SimulatorAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One merchant's account at the simulated provider. `sha_in`: each is accepted (rotation); `sha_out` signs callbacks.
    `feedback_charset` None: as `charset`; else callbacks are sent in it although signed in `charset`."""

    pspid: str
    userid: str
    pswd: str
    sha_in: tuple[str, ...]
    sha_out: str
    algorithm: Algorithm = Algorithm.SHA512
    charset: Charset = Charset.LATIN1
    feedback_charset: Charset | None = None
    scheme: Scheme = Scheme.ALL
    in_parameters: tuple[str, ...] = parameters.SHA_IN
    out_parameters: tuple[str, ...] = parameters.SHA_OUT
    in_order: tuple[str, ...] = parameters.MAIN_IN
    out_order: tuple[str, ...] = parameters.MAIN_OUT
    wire_digits: dict[str, int] = msgspec.field(default_factory=dict)
    callback_url: str = ""
    callback_method: Literal["GET", "POST"] = "POST"
    holder: str = "Zoé Exemple"

    def __repr__(self) -> str:
        return f"SimulatorAccount(pspid={self.pspid!r})"

    @property
    def signs_in(self) -> Rule:
        """How the merchant signs."""
        return Rule(
            algorithm=self.algorithm,
            charset=self.charset,
            scheme=self.scheme,
            names=self.in_parameters,
            order=self.in_order,
        )

    @property
    def signs_out(self) -> Rule:
        """How the provider signs."""
        return Rule(
            algorithm=self.algorithm,
            charset=self.charset,
            scheme=self.scheme,
            names=self.out_parameters,
            order=self.out_order,
        )


SANDBOX = SimulatorAccount(
    pspid="azurTEST",
    userid="azurAPI",
    pswd="sandbox-password",  # public: opens nothing but the sandbox
    sha_in=("sandbox-sha-in-passphrase",),
    sha_out="sandbox-sha-out-passphrase",
)


def merchant_account(account: SimulatorAccount, merchant: str, base_url: str) -> OgoneAccount:
    """The merchant's side of a simulated account."""
    return OgoneAccount(
        merchant=merchant,
        pspid=account.pspid,
        userid=account.userid,
        pswd=account.pswd,
        sha_in=account.sha_in[0],
        sha_out=(account.sha_out,),
        base_url=base_url,
        algorithm=account.algorithm,
        charset=account.charset,
        scheme=account.scheme,
        in_parameters=account.in_parameters,
        out_parameters=account.out_parameters,
        in_order=account.in_order,
        out_order=account.out_order,
        wire_digits=account.wire_digits,
    )
