"""The configuration that is used where none is given, as messages.md promises it."""

from __future__ import annotations

from fractions import Fraction

from config.loader import load
from connectors.psp.ogone.account import OgoneAccount
from connectors.psp.ogone.simulator.accounts import SANDBOX
from schemas.policy import PropertyPolicy, TenantPolicy

SETTLED = load(None, {})


def test_who_is_in_it() -> None:
    """Tenant, property, merchant, PMS, channel and languages."""
    assert set(SETTLED.tenants) == {"azur"}
    assert set(SETTLED.properties) == {"camp-azur"}
    assert set(SETTLED.merchants) == {"azur"}
    assert set(SETTLED.sources) == {"pms.thais"}
    assert set(SETTLED.channels) == {"demo"}
    assert SETTLED.channels["demo"].source == "ota.demo"
    assert SETTLED.channels["demo"].identity == "echo_token"  # a change back and forth is no repeat
    camp = SETTLED.properties["camp-azur"]
    assert (camp.zone, camp.languages, camp.currencies) == ("Europe/Paris", ("fr", "en"), ("EUR",))


def test_s4_2_s4_4_terms() -> None:
    """Five levels for each trade, one of them NANR; outdoor/flexible is the golden example."""
    names = {one.name: one for one in SETTLED.terms}
    for trade in ("outdoor", "locatif", "hotellerie"):
        assert {f"{trade}/{level}" for level in ("flexible", "moderate", "firm", "strict", "nanr")} == {
            name for name in names if name.startswith(f"{trade}/")
        }
        assert {Fraction(0)} == {tranche.refund for tranche in names[f"{trade}/nanr"].tranches}
    flexible = names["outdoor/flexible"].tranches
    assert [tranche.from_notice for tranche in flexible[:2]] == [4, 1]
    assert [Fraction(1), Fraction(1, 2), Fraction(0)] == [tranche.refund for tranche in flexible]
    assert len(names) == len(SETTLED.terms) == 15


def test_s4_46_only_goodwill_needs_a_second_person() -> None:
    """No other brakes; every other knob stands at its recommended reading."""
    camp, azur = SETTLED.properties["camp-azur"], SETTLED.tenants["azur"]
    assert camp == PropertyPolicy(
        property="camp-azur",
        version="camp-azur/1",
        tenant="azur",
        zone="Europe/Paris",
        areas=camp.areas,
        who_may_cancel=camp.who_may_cancel,
    )
    assert azur == TenantPolicy(tenant="azur", version="azur/1", plan="Pack Individual Premium")
    assert camp.approval_above is azur.day_sum is azur.property_day_sum is azur.velocity_per_hour is None
    assert camp.override_above == 10_000


def test_the_merchant_is_the_simulators() -> None:
    """Its public keys open nothing but the sandbox, and the connector accepts the account."""
    merchant = SETTLED.merchants["azur"]
    secrets = [SETTLED.secret(ref, {}) for ref in (merchant.password, merchant.sha_in, *merchant.sha_out)]
    account = OgoneAccount(
        merchant=merchant.merchant,
        pspid=merchant.pspid,
        userid=merchant.userid,
        pswd=secrets[0],
        sha_in=secrets[1],
        sha_out=(secrets[2],),
        base_url=merchant.base_url,
    )

    assert (SANDBOX.pspid, SANDBOX.userid, SANDBOX.pswd, *SANDBOX.sha_in, SANDBOX.sha_out) == (
        account.pspid,
        account.userid,
        *secrets,
    )
    assert SANDBOX.algorithm.value == merchant.algorithm


def test_the_same_every_time() -> None:
    """Its version is that of its content."""
    assert SETTLED.version == load(None, {}).version
    assert len(SETTLED.version) == 16
