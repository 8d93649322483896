"""What is settled: versions that keep their content for ever, configurations of the past, who may send as whom."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest

from config.settings import Effects
from engine.histories import Timing
from engine.settled import as_settled_before, senders, settle
from engine.store.shelf import Shelf
from engine.store.sqlite.database import Database
from schemas.errors import HubError
from schemas.policy import ChannelProfile, SourceProfile
from tests.engine.campsite import configuration


def test_a_version_keeps_its_content() -> None:
    """X-8: another content needs another version, for properties and for terms; nothing of the wrong one is kept."""
    shelf = Shelf(Database(":memory:"))
    settle(configuration(), shelf, 1)
    base = configuration()
    dearer = msgspec.structs.replace(base.terms[0], second_payment_days=99)
    for changed, version in (
        (configuration(refund_due_days=3), "camp-azur/1"),
        (msgspec.structs.replace(base, terms=(dearer, *base.terms[1:])), dearer.version),
    ):
        with pytest.raises(HubError) as wrong:
            settle(changed, shelf, 2)

        assert (wrong.value.code, wrong.value.field, wrong.value.value) == ("policy_changed", "version", version)
    assert list(shelf.configurations()) == [1]


def test_what_was_in_force_is_known_for_ever() -> None:
    """Each configuration has its number, the same one again its old one; the policies of all of them can be read."""
    shelf = Shelf(Database(":memory:"))
    first = settle(configuration(), shelf, 1)
    second = settle(configuration("camp-azur/2", refund_due_days=3), shelf, 2)
    again = settle(configuration(), shelf, 3)
    past = as_settled_before(shelf, first.configuration)

    assert (first.configuration, second.configuration, again.configuration) == (1, 2, 1)
    assert set(second.policies.frozen_properties) == {"camp-azur/1", "camp-azur/2"}
    assert second.policies.frozen_properties["camp-azur/2"].refund_due_days == 3
    assert {one.version for one in configuration().terms} == set(second.policies.frozen_terms)
    assert past.policies.properties["camp-azur"].version == "camp-azur/1"
    assert past.policies.terms == first.policies.terms
    assert past.tenants == first.tenants
    assert past.policies.terms[0].tranches[0].refund == Fraction(1)
    assert second.merchants == {"azur": "azur"}


def test_who_sends() -> None:
    """The sources that are listed, and each channel as a sender of its own name or the one it was given."""
    base = configuration()
    channels = {
        "demo": ChannelProfile(channel="demo", tenant="azur", trust_time=True),
        "named": ChannelProfile(channel="named", tenant="azur", source="agency.x"),
    }
    sources = {
        "pms.thais": SourceProfile(source="pms.thais", tenant="azur"),
        "agency.x": SourceProfile(source="agency.x", tenant="own"),
    }
    found = senders(msgspec.structs.replace(base, channels=channels, sources=sources))

    assert found["ota.demo"] == SourceProfile(source="ota.demo", tenant="azur", trust_time=True)
    assert (found["agency.x"].tenant, set(found)) == ("own", {"ota.demo", "agency.x", "pms.thais"})


def test_intervals_are_those_of_the_settings() -> None:
    """Where a runner is given none, the shipped ones hold."""
    said = Effects()

    assert Timing() == Timing(said.deadline_s, said.lease_s, said.query_after_s, said.pending_after_s)
    assert Timing().query_after(0, 0) == 5_000_000
    assert Timing().query_after(7, 99) == 7 + 21_600_000_000
    assert Timing().pending_after(0, 1) == 600_000_000
