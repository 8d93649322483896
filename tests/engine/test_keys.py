"""Keys of the doors: printed once, stored hashed, ended at once."""

import pytest

from engine.keys import DoorKeys
from engine.store.sqlite.database import Database
from engine.store.sqlite.keys import SqliteKeys
from schemas.errors import Rejected


@pytest.fixture
def database() -> Database:
    return Database(":memory:")


def test_a_key_opens_its_scope_for_its_tenant(database: Database) -> None:
    """What was printed is what is recognised."""
    keys = DoorKeys(database)
    made, text = keys.add("azur", "messages", "the PMS")

    found = keys.check(text)

    assert found == made
    assert found is not None
    assert (found.tenant, found.label) == ("azur", "the PMS")
    assert [found.may(scope) for scope in ("messages", "read", "operator", "channel:demo")] == [True, False, False, False]


def test_an_operator_may_read_and_send_and_is_no_channel(database: Database) -> None:
    key, _ = DoorKeys(database).add("azur", "operator")

    assert [key.may(scope) for scope in ("messages", "read", "operator", "channel:demo")] == [True, True, True, False]


def test_the_store_never_sees_the_key(database: Database) -> None:
    """Neither the text nor its secret is in any row; two equal secrets would hash apart by their salt."""
    _, text = DoorKeys(database).add("azur", "read")
    row = SqliteKeys(database).all()[0]

    secret = text.rpartition("_")[2]
    assert secret not in repr(row)
    assert bytes.fromhex(secret) not in (row.hash, row.salt)
    assert len(row.hash) == 32


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"), lambda _: "", lambda _: "é" * 80]
)
def test_anything_else_is_nobody(database: Database, change: object) -> None:
    keys = DoorKeys(database)
    _, text = keys.add("azur", "read")

    assert callable(change)
    assert keys.check(change(text)) is None


def test_revoked_is_closed_at_once(database: Database) -> None:
    """Also right after it was used."""
    keys = DoorKeys(database)
    key, text = keys.add("azur", "read")
    assert keys.check(text) is not None

    keys.revoke(key.id)

    assert keys.check(text) is None
    assert keys.list()[0].revoked_at
    with pytest.raises(Rejected, match="opens anything"):
        keys.revoke(key.id)


@pytest.mark.parametrize("scope", ["", "everything", "channel:"])
def test_an_unknown_scope_is_refused(database: Database, scope: str) -> None:
    with pytest.raises(Rejected) as refused:
        DoorKeys(database).add("azur", scope)

    assert refused.value.code == "unknown_scope"
