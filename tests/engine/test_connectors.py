"""Merchants of a configuration as accounts and connectors."""

from __future__ import annotations

import msgspec
import pytest

from config.loader import load
from config.settings import Configuration, Secret
from connectors.psp.ogone import parameters
from engine.connectors import connectors_of, ogone_account
from schemas.errors import HubError, Rejected


def changed(**changes: object) -> Configuration:
    """The shipped configuration with its merchant changed."""
    shipped = load(None, {})
    merchant = msgspec.structs.replace(shipped.merchants["azur"], **changes)
    return msgspec.structs.replace(shipped, merchants={"azur": merchant})


def test_the_shipped_merchant() -> None:
    """Its secrets are those that its files hold; empty lists mean the connector's own."""
    settled = changed()
    account = ogone_account(settled, settled.merchants["azur"], {})

    assert (account.pspid, account.in_parameters) == ("azurTEST", parameters.SHA_IN)
    assert account.sha_out == ((settled.folder / "sandbox/sha_out").read_text(encoding="utf-8").strip(),)
    (paced,) = connectors_of(settled, {}).values()
    assert (paced.merchant, paced.name, paced.concurrency) == ("azur", "ogone", settled.effects.concurrency)


def test_its_own_pace_and_secrets() -> None:
    """No merchant's requests wait for another's (X-28)."""
    settled = changed(concurrency=2, sha_out=(Secret(env="NEW"), Secret(env="OLD")))

    (paced,) = connectors_of(settled, {"NEW": "new-secret", "OLD": "old-secret"}).values()

    assert paced.concurrency == 2
    assert ogone_account(settled, settled.merchants["azur"], {"NEW": "a", "OLD": "b"}).sha_out == ("a", "b")


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(HubError, match="environment variable NOWHERE"):
        connectors_of(changed(password=Secret(env="NOWHERE")), {})


def test_live_keys_and_test_endpoints_do_not_meet() -> None:
    """X-27."""
    with pytest.raises(Rejected) as refused:
        connectors_of(changed(environment="live"), {})

    assert refused.value.code == "wrong_endpoint"
