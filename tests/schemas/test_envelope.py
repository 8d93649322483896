"""Types on the wire, and ids that derive from their cause."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope, derived_id, folio_id, message_bytes, message_id, name_of, type_of, uuid_text
from schemas.registry import IN, OUT


@pytest.mark.parametrize("name", [*IN, *OUT])
def test_types_there_and_back(name: str) -> None:
    """`foliohub.<name>.v1` and nothing else."""
    assert f"foliohub.{name}.v1" == type_of(name)
    assert name == name_of(type_of(name))


@pytest.mark.parametrize(
    "type_", ["booking.confirmed", "foliohub.booking.confirmed.v2", "foliohub.booking.confirmed", "", "Foliohub.x.v1"]
)
def test_foreign_types(type_: str) -> None:
    """Another version is another message."""
    assert name_of(type_) is None


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_x_1_identity_gives_the_id(tenant: str, source: str, id_: str) -> None:
    """The same identity is the same message, another part of it another."""
    assert message_id(tenant, source, id_) == message_id(tenant, source, id_)
    assert message_id(tenant, source, id_) != message_id(tenant, source, f"{id_}x")
    assert message_id(tenant, f"{source}x", id_) != message_id(tenant, source, f"x{id_}")


def test_derived_ids() -> None:
    """Pinned: what was published must keep its ids in every later release."""
    cause = message_bytes("azur", "pms.thais", "m-1")
    assert uuid_text(cause) == "aaf23e94-a20b-54b1-a5e0-7e2e62624660"
    assert "f27d1b4b-4035-5622-a4ca-56be197f33e8" == derived_id(cause, 1) == derived_id(cause, "1")
    assert derived_id(cause, 1) != derived_id(cause, 2)
    assert folio_id("azur", "ota:demo", "X1") == "4bf24bf8-d4ba-55a6-ab1c-5c86c581fa8f"
    assert folio_id("azur", "ota:demo", "X1") != folio_id("azur", "ota:other", "X1")


def test_an_instant_without_offset_is_no_time() -> None:
    """CloudEvents' time has one."""
    event = {"id": "1", "source": "s", "type": "t", "tenant": "azur", "time": "2026-05-01T08:00:00"}
    with pytest.raises(msgspec.ValidationError, match=r"\$\.time"):
        msgspec.json.decode(msgspec.json.encode(event), type=Envelope)
