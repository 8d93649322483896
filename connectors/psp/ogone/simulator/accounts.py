"""Accounts as the provider holds them: the other side of `OgoneAccount`. The sandbox's keys are public and open nothing."""

from __future__ import annotations

from typing import Literal

import msgspec

from connectors.psp.ogone.account import OgoneAccount, Signing
from connectors.psp.ogone.signature import Charset


class SimulatorAccount(Signing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One merchant's account at the simulated provider. `sha_in`: each is accepted (rotation); `sha_out` signs callbacks.
    `feedback_charset` None: as `charset`; else callbacks are sent in it although signed in `charset`."""

    pspid: str
    userid: str
    pswd: str
    sha_in: tuple[str, ...]
    sha_out: str
    feedback_charset: Charset | None = None
    wire_digits: dict[str, int] = msgspec.field(default_factory=dict)
    callback_url: str = ""
    callback_method: Literal["GET", "POST"] = "POST"
    holder: str = "Zoé Exemple"

    def __repr__(self) -> str:
        return f"SimulatorAccount(pspid={self.pspid!r})"


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
