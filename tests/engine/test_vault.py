"""The master key of a store: made once, known again, and never replaced in silence."""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from config.loader import load
from engine.hub import Hub
from engine.store.contract import StoreAway
from engine.store.shelf import Shelf
from engine.store.sqlite.database import Database
from engine.vault import MARK, Plain, Vault
from schemas.errors import HubError


def opened(store: Path) -> Hub:
    return Hub(load(None, {}), str(store), {})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that a hub has run on, with something sealed in it."""
    monkeypatch.delenv("FOLIOHUB_MASTER_KEY", raising=False)
    path = tmp_path / "hub.sqlite"
    hub = opened(path)
    (tmp_path / "sealed").write_text(hub.vault.seal("azur", "p-1", "Camille"))
    with hub.database.write() as connection:
        connection.executemany("INSERT INTO subject_key VALUES (?,?,?)", hub.vault.fresh)
    hub.close()
    return path


def key_of(store: Path) -> Path:
    return store.with_name(f"{store.name}.key")


def never_started(folder: Path) -> Path:
    """A store that was made, and that no hub has had a key for."""
    path = folder / "hub.sqlite"
    Database(str(path)).close()
    return path


def reads(vault: Vault, store: Path) -> bool:
    return vault.open("azur", "p-1", (store.parent / "sealed").read_text()) == "Camille"


def test_the_key_is_made_once_for_its_owner_alone(store: Path) -> None:
    """What was sealed before is read after; no draft of the key lies about."""
    hub = opened(store)
    hub.close()

    assert reads(hub.vault, store)
    assert stat.S_IMODE(key_of(store).stat().st_mode) == 0o600
    assert [path.name for path in store.parent.glob("*.new")] == []


@pytest.mark.parametrize("method", ["master_mark", "keep_master_mark"])
def test_a_first_start_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Before its key was made, and between that and the first word of it in the store: no key stands beside an empty file."""
    monkeypatch.delenv("FOLIOHUB_MASTER_KEY", raising=False)
    path = tmp_path / "hub.sqlite"

    def interrupted(*_: object) -> None:
        raise StoreAway("gone")

    with monkeypatch.context() as once:
        once.setattr(Shelf, method, interrupted)
        with pytest.raises(StoreAway):
            opened(path)
    made = key_of(path).read_text() if key_of(path).exists() else ""
    hub = opened(path)
    hub.close()

    assert bool(made) == (method == "keep_master_mark")
    assert made in ("", key_of(path).read_text())


def test_a_lost_key_is_not_replaced(store: Path) -> None:
    """A new one would read nothing of what is there, and nobody would hear of it until it is too late."""
    key_of(store).unlink()

    with pytest.raises(HubError) as failure:
        opened(store)

    assert (failure.value.code, failure.value.field) == ("master_key_missing", "master_key")
    assert not key_of(store).exists()


@pytest.mark.parametrize("text", [pytest.param("ab" * 32, id="another key"), pytest.param("", id="an empty file")])
def test_a_wrong_key_is_refused_at_the_start(store: Path, text: str) -> None:
    key_of(store).write_text(text)

    with pytest.raises(HubError) as failure:
        opened(store)

    assert (failure.value.code, failure.value.field) == ("master_key_wrong", "master_key")


def test_the_environment_may_carry_the_key_but_not_another(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moved into the environment, the store opens without its file."""
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", key_of(store).read_text().strip())
    key_of(store).unlink()
    hub = opened(store)
    hub.close()
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", "cd" * 32)

    with pytest.raises(HubError) as failure:
        opened(store)

    assert reads(hub.vault, store)
    assert failure.value.code == "master_key_wrong"


def test_many_are_sealed_at_once(store: Path) -> None:
    """Each under its own key, the one that is stored where there is one; what is sealed already stays, and no nonce comes twice."""
    hub = opened(store)
    known = (store.parent / "sealed").read_text()
    texts = [Plain("azur", "p-1", "Ada"), Plain("azur", "p-2", "Ben"), Plain("azur", "p-2", "Ben"), Plain("b", "p-2", "Cy")]
    sealed = hub.vault.seal_all([*texts, Plain("azur", "p-9", known)])
    fresh = [(key.tenant, key.subject) for key in hub.vault.fresh]
    with hub.database.write() as connection:
        connection.executemany("INSERT INTO subject_key VALUES (?,?,?)", hub.vault.fresh)
    hub.close()
    again = opened(store)
    read = [again.vault.open(tenant, subject, text) for (tenant, subject, _), text in zip(texts, sealed, strict=False)]
    crossed = again.vault.open("azur", "p-1", sealed[1])
    again.close()

    assert sorted(fresh) == [("azur", "p-2"), ("b", "p-2")]
    assert read == ["Ada", "Ben", "Ben", "Cy"]
    assert crossed is None
    assert sealed[4] == known
    assert len({base64.b64decode(text[len(MARK) :])[:12] for text in sealed}) == len(sealed)


class Wrapped:
    """Wrapped keys in memory, and what was asked for."""

    def __init__(self, **known: str) -> None:
        self.known = {subject.replace("_", "-"): bytes.fromhex(wrapped) for subject, wrapped in known.items()}
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def wrapped_keys(self, tenant: str, subjects: Sequence[str]) -> Mapping[str, bytes]:
        self.asked.append((tenant, tuple(subjects)))
        return {subject: self.known[subject] for subject in subjects if subject in self.known}


WRAPPED = {
    "p_1": "5492675c9a7f687343f204f0ce138c7f07c87a9a33763f94380a898395d7199afce993b686375eab4cf337ddb242ed46327bba9e3da94c25c932a0cb",
    "letters": "4d7672622518df144d5014f435a600a8fd61410178b61727b384e03e46143e4ec81d63a39dcda8d91d9a683fe2a55cfa9247fc20a400f5ac96a77cd3",
}
SEALED = "sealed:1:hPkQl7R3C4D/N0SNALsD7zyfYkJ+y2SBW0yCuSfKnuFtHzw="


def test_what_an_earlier_release_sealed_is_read() -> None:
    """The mark, the nonce before the text, the bond to tenant and subject, and how keys come from the master key are a format."""
    shelf = Wrapped(**WRAPPED)
    vault = Vault(bytes(range(32)), shelf)

    assert vault.open("azur", "p-1", SEALED) == "Camille"
    assert vault.fingerprint(b"a body").hex() == "35ce96e0e84eda49c7dcec49bb2468f8"
    assert vault.seal("azur", "p-1", "Ada").startswith("sealed:1:")
    assert (shelf.asked, vault.fresh) == ([("azur", ("p-1",))], [])


def test_what_is_not_ones_own_is_not_read() -> None:
    """No key, another tenant's key, a text that was altered; what was never sealed is what it is."""
    vault = Vault(bytes(range(32)), Wrapped(**WRAPPED))

    assert vault.open("azur", "p-2", SEALED) is None
    assert vault.open("azur", "p-1", SEALED[:-3] + "00=") is None
    assert vault.open("azur", "p-1", "Camille") == "Camille"
    with pytest.raises(HubError) as stranger:
        vault.open("vert", "p-1", SEALED)
    with pytest.raises(HubError) as other:
        Vault(bytes(32), Wrapped(**WRAPPED)).open("azur", "p-1", SEALED)
    assert [(wrong.value.code, wrong.value.field) for wrong in (stranger, other)] == [("master_key_wrong", "master_key")] * 2


def test_a_destroyed_key_is_dropped_from_memory() -> None:
    """Until somebody says so it is remembered, and the shelf is not asked again."""
    shelf = Wrapped(**WRAPPED)
    vault = Vault(bytes(range(32)), shelf)
    vault.open("azur", "p-1", SEALED)
    shelf.known.clear()
    remembered = vault.open("azur", "p-1", SEALED)
    vault.forget("azur", "p-2")
    vault.forget("azur", "p-1")

    assert (remembered, vault.open("azur", "p-1", SEALED)) == ("Camille", None)
    assert len(shelf.asked) == 2


def test_bytes_are_sealed_and_opened_too() -> None:
    """Each time another way, under one key that is made once and handed over to be stored."""
    vault = Vault(bytes(range(32)), Wrapped())
    first, second = (vault.seal_bytes("azur", "letters", b"\x00kept") for _ in range(2))
    (key,) = vault.fresh
    later = Vault(bytes(range(32)), Wrapped(letters=key.wrapped.hex()))

    assert first != second
    assert (key.tenant, key.subject) == ("azur", "letters")
    assert [later.open_bytes("azur", "letters", sealed) for sealed in (first, second)] == [b"\x00kept"] * 2
    assert later.fresh == []


@pytest.mark.parametrize("text", ["zz" * 32, "ab" * 31, "ab" * 33, "é"])
def test_what_is_no_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Sixty-four hex digits, no more and no less; nothing is made in its place."""
    monkeypatch.delenv("FOLIOHUB_MASTER_KEY", raising=False)
    path = never_started(tmp_path)
    key_of(path).write_text(text)
    with pytest.raises(HubError) as failure:
        opened(path)

    assert (failure.value.code, failure.value.field) == ("master_key_wrong", "master_key")
    assert key_of(path).read_text() == text


def test_a_key_that_cannot_be_read_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in its place, say."""
    monkeypatch.delenv("FOLIOHUB_MASTER_KEY", raising=False)
    path = never_started(tmp_path)
    key_of(path).mkdir()
    with pytest.raises(HubError) as failure:
        opened(path)

    assert (failure.value.code, failure.value.field) == ("master_key_missing", "master_key")
