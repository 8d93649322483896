"""The master key of a store: made once, known again, and never replaced in silence."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from config.loader import load
from engine.hub import Hub
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


def reads(vault: Vault, store: Path) -> bool:
    return vault.open("azur", "p-1", (store.parent / "sealed").read_text()) == "Camille"


def test_the_key_is_made_once_for_its_owner_alone(store: Path) -> None:
    """What was sealed before is read after; no draft of the key lies about."""
    hub = opened(store)
    hub.close()

    assert reads(hub.vault, store)
    assert stat.S_IMODE(key_of(store).stat().st_mode) == 0o600
    assert [path.name for path in store.parent.glob("*.new")] == []


def test_a_lost_key_is_not_replaced(store: Path) -> None:
    """A new one would read nothing of what is there, and nobody would hear of it until it is too late."""
    key_of(store).unlink()

    with pytest.raises(HubError) as failure:
        opened(store)

    assert failure.value.code == "master_key_missing"
    assert not key_of(store).exists()


@pytest.mark.parametrize("text", [pytest.param("ab" * 32, id="another key"), pytest.param("", id="an empty file")])
def test_a_wrong_key_is_refused_at_the_start(store: Path, text: str) -> None:
    key_of(store).write_text(text)

    with pytest.raises(HubError) as failure:
        opened(store)

    assert failure.value.code == "master_key_wrong"


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
