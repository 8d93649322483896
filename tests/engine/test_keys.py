"""Keys of the doors: printed once, stored hashed, ended at once."""

import time

import pytest

from engine.clock import ManualClock
from engine.keys import DoorKey, DoorKeys
from engine.store.keys import KeyRows
from engine.store.sqlite.database import Database
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
    row = KeyRows(database).all()[0]

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
    assert [keys.check(change(text)) for _ in range(2)] == [None, None]


def test_an_id_that_nobody_has_stays_nobodys(database: Database) -> None:
    """However often it is asked about; whoever gets it then is known."""
    keys = DoorKeys(database)
    stranger = f"fhk_{'0' * 12}_{'1' * 64}"

    assert [keys.check(stranger) for _ in range(3)] == [None] * 3
    assert keys.check(keys.add("azur", "read")[1]) is not None


def test_what_is_shown_of_keys(database: Database) -> None:
    """All of them, oldest first, with when they were made and ended; a long label is cut."""
    clock = ManualClock(1_785_000_000_000_000)
    keys = DoorKeys(database, clock)
    first, _ = keys.add("azur", "channel:demo", "x" * 201)
    clock.advance(1_785_000_060_000_000)
    second, _ = keys.add("vert", "read")
    keys.revoke(first.id)

    assert keys.list() == (
        DoorKey(
            id=first.id, tenant="azur", scope="channel:demo", label="x" * 200, created_at="2026-07-25T17:20:00+00:00",
            revoked_at="2026-07-25T17:21:00+00:00",
        ),
        DoorKey(id=second.id, tenant="vert", scope="read", label="", created_at="2026-07-25T17:21:00+00:00"),
    )  # fmt: skip


def test_another_process_is_heard_within_a_second(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that revokes a key is not the hub that checks it."""
    hub, command = DoorKeys(database), DoorKeys(database)
    key, text = command.add("azur", "read")
    assert hub.check(text) == key
    command.revoke(key.id)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1.01)

    assert hub.check(text) is None


def test_revoked_is_closed_at_once(database: Database) -> None:
    """Also right after it was used."""
    keys = DoorKeys(database)
    key, text = keys.add("azur", "read")
    assert keys.check(text) is not None

    keys.revoke(key.id)

    assert keys.check(text) is None
    assert keys.list()[0].revoked_at
    with pytest.raises(Rejected, match="opens anything") as refused:
        keys.revoke(key.id)
    assert (refused.value.code, refused.value.field, refused.value.value) == ("unknown_key", "id", key.id)


@pytest.mark.parametrize("scope", ["", "everything", "channel:"])
def test_an_unknown_scope_is_refused(database: Database, scope: str) -> None:
    with pytest.raises(Rejected) as refused:
        DoorKeys(database).add("azur", scope)

    assert (refused.value.code, refused.value.field, refused.value.value) == ("unknown_scope", "scope", scope)
