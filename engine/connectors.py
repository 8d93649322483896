"""Merchants of a configuration as connectors: one account, one pace each, with their secrets read where these are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping

from config.settings import Configuration, Merchant
from connectors.psp.ogone import parameters
from connectors.psp.ogone.account import Environment, LevelAmounts, OgoneAccount, guard_endpoint
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.signature import Algorithm, Charset, Scheme
from connectors.psp.ogone.wire import HttpWire
from engine.pacing import Pace, Paced, PacedWire
from schemas.errors import Rejected


def ogone_account(configuration: Configuration, merchant: Merchant, environ: Mapping[str, str] = os.environ) -> OgoneAccount:
    """A merchant's account with its secrets.

    Raises HubError `secret_missing`, Rejected `wrong_endpoint` (X-27: test keys meet only test endpoints) or `bad_account`.
    """
    return OgoneAccount(
        merchant=merchant.merchant,
        pspid=merchant.pspid,
        userid=merchant.userid,
        pswd=configuration.secret(merchant.password, environ),
        sha_in=configuration.secret(merchant.sha_in, environ),
        sha_out=tuple(configuration.secret(one, environ) for one in merchant.sha_out),
        base_url=merchant.base_url,
        environment=Environment(merchant.environment),
        algorithm=Algorithm(merchant.algorithm),
        charset=Charset(merchant.charset),
        scheme=Scheme(merchant.scheme),
        level_amounts=LevelAmounts(merchant.level_amounts),
        in_parameters=merchant.in_parameters or parameters.SHA_IN,
        out_parameters=merchant.out_parameters or parameters.SHA_OUT,
        in_order=merchant.in_order or parameters.MAIN_IN,
        out_order=merchant.out_order or parameters.MAIN_OUT,
        wire_digits=merchant.wire_digits,
        page_suffix=merchant.page_suffix,
    )


def ogone_accounts(configuration: Configuration, environ: Mapping[str, str] = os.environ) -> dict[str, OgoneAccount]:
    """Every Ogone account by merchant. Raises as `ogone_account`."""
    return {
        name: ogone_account(configuration, merchant, environ)
        for name, merchant in configuration.merchants.items()
        if merchant.provider == "ogone"
    }


def wrong_endpoints(configuration: Configuration) -> dict[str, Rejected]:
    """Why a merchant's keys and address do not meet, by merchant (X-27); secrets are not read."""
    found = {}
    for name, merchant in configuration.merchants.items():
        try:
            guard_endpoint(Environment(merchant.environment), merchant.base_url)
        except Rejected as refused:
            found[name] = refused
    return found


def connectors_of(configuration: Configuration, environ: Mapping[str, str] = os.environ) -> dict[str, Paced]:
    """Every merchant's connector at its own pace (X-28). Raises as `ogone_account`."""
    made = {}
    effects = configuration.effects
    for name, account in ogone_accounts(configuration, environ).items():
        merchant = configuration.merchants[name]
        pace = Pace(name, merchant.per_second or effects.per_second, effects.breaker_failures, effects.breaker_rest_s)
        connector = OgoneConnector(account, PacedWire(HttpWire(), pace))
        made[name] = Paced(connector, pace, merchant.concurrency or effects.concurrency)
    return made
