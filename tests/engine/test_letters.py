"""What a door could not use is kept whole enough to be looked at, sealed, and told to whom it may concern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from engine.letters import dead_letter_subject, kept_letter, told
from engine.opening import MAX_BODY
from engine.store.rows import DeadLetterRow
from engine.transport.contract import Arrival
from engine.vault import Vault
from schemas import registry
from schemas.errors import Undecodable
from schemas.operations import DeadLetterKept

PAN = "4111111111111111"
NOW = 1_785_000_000_000_000  # in July 2026
WRONG = Undecodable("x" * 2_001, field="lines[0].price", value="1.5")


class Nothing:
    """A shelf without keys."""

    def wrapped_keys(self, tenant: str, subjects: Sequence[str]) -> Mapping[str, bytes]:
        del tenant, subjects
        return {}


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(32), Nothing())


def kept(vault: Vault, body: bytes = b"{", attributes: Mapping[str, str] | None = None, now: int = NOW) -> DeadLetterRow:
    arrival = Arrival(door="pms", body=body, content_type="text/plain", attributes=attributes or {})
    return kept_letter(arrival, "azur", WRONG, now, vault)[0]


def test_a_letter_says_everything(vault: Vault) -> None:
    """Whose, from which door, what was wrong; the bytes only under a key that ends with its month."""
    letter = kept(vault, b"{not json", {"id": "m-1", "source": "pms"})
    months = [dead_letter_subject(NOW), dead_letter_subject(NOW + 31 * 86_400_000_000)]

    assert letter._replace(id="", bytes_=b"") == DeadLetterRow(
        id="", at=NOW, tenant="azur", kind="", key="", why="undecodable", code="undecodable", field="lines[0].price", value="1.5",
        reason="x" * 2_000, door="pms", attributes='{"id":"m-1","source":"pms","datacontenttype":"text/plain"}', bytes_=b"",
        message=None, name="", received_at=NOW,
    )  # fmt: skip
    assert months == ["dead-letters/2026-07", "dead-letters/2026-08"]
    assert vault.open_bytes("azur", months[0], letter.bytes_) == b"{not json"
    assert [key.subject for key in vault.fresh] == [months[0]]


def test_x_10_a_letter_holds_no_card(vault: Vault) -> None:
    """Neither in its bytes nor in its attributes; whether there was one is said."""
    arrival = Arrival(door="pms", body=b"{" + PAN.encode(), attributes={"subject": PAN})
    letter, found = kept_letter(arrival, "azur", WRONG, NOW, vault)
    opened = vault.open_bytes("azur", dead_letter_subject(NOW), letter.bytes_)

    assert opened is not None
    assert found
    assert PAN not in letter.attributes + opened.decode()
    assert not kept_letter(Arrival(door="pms", body=b"{"), "azur", WRONG, NOW, vault)[1]


def test_a_letter_is_bounded(vault: Vault) -> None:
    """Whatever somebody sends."""
    letter = kept(vault, b"x" * (4 * MAX_BODY + 1), {f"a{n:02}": "y" * 501 for n in range(51)})
    opened = vault.open_bytes("azur", dead_letter_subject(NOW), letter.bytes_)
    attributes = msgspec.json.decode(letter.attributes, type=dict[str, str])

    assert opened is not None
    assert len(opened) == 4 * MAX_BODY
    assert attributes == {**{f"a{n:02}": "y" * 500 for n in range(50)}, "datacontenttype": "text/plain"}


def test_one_arrival_is_one_letter(vault: Vault) -> None:
    """Another instant, door, body or attribute is another."""
    ids = [kept(vault).id, kept(vault).id, kept(vault, now=NOW + 1).id, kept(vault, b"[").id, kept(vault, b"{", {"id": "m-1"}).id]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


def test_the_tenant_is_told(vault: Vault) -> None:
    """A message of the hub's own, to the tenant itself."""
    letter = kept(vault)
    row = told(letter, "m-1", 1)

    assert (row.tenant, row.source, row.id, row.name, row.kind, row.key) == (
        "azur", "foliohub", letter.id, "dead_letter.kept", "tenant", "azur",
    )  # fmt: skip
    assert (row.act, row.received_at, row.cause, row.message.hex()) == (NOW, NOW, 0, letter.id.replace("-", ""))
    assert registry.decode_data("dead_letter.kept", row.body) == DeadLetterKept(
        dead_letter=letter.id, reason="x" * 2_000, code="undecodable", field="lines[0].price", value="1.5", input="m-1"
    )
