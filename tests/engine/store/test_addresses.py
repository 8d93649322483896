"""What an address of a database says is taken at its word: who comes is proved, the way is encrypted, and what is wrong is told by the
setting, without the password."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.store.contract import StoreAway
from engine.store.postgresql.database import Database
from schemas.errors import HubError
from tests.services.amqp_tools import wait_until
from tests.services.guarded_kafka import Authority
from tests.services.postgresql import PostgreSQL

PASSWORD = "a-word-of-the-test"


@pytest.fixture
def guarded(postgresql: PostgreSQL, postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """The same server asks one user for a password, and speaks TLS; `authority.pem` in the test's folder signed its certificate."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        home = Path(str((connection.execute("SHOW data_directory").fetchone() or ("",))[0]))
        rules, before = home / "pg_hba.conf", (home / "pg_hba.conf").read_text()
        rules.write_text(f"host all asked 127.0.0.1/32 scram-sha-256\n{before}")
        for kind, made in zip(("cert", "key"), Authority(tmp_path, "authority").sign("server"), strict=True):
            shutil.copy(made, home / made.name)
            (home / made.name).chmod(0o600)
            shutil.chown(home / made.name, rules.owner(), rules.group())
            connection.execute(f"ALTER SYSTEM SET ssl_{kind}_file = '{made.name}'".encode())
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute(f"CREATE ROLE asked LOGIN SUPERUSER PASSWORD '{PASSWORD}'".encode())
        connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: encrypted(postgres_url), "the server speaks TLS")
        yield postgres_url.replace("postgres@", f"asked:{PASSWORD}@")
        rules.write_text(before)
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("REASSIGN OWNED BY asked TO postgres")
        connection.execute("DROP ROLE asked")
        wait_until(lambda: not encrypted(postgres_url), "the server is as it was")


def encrypted(url: str) -> bool:
    """Whether it speaks TLS with who asks for nothing."""
    with psycopg.connect(url) as connection:
        return connection.pgconn.ssl_in_use


def test_as_the_address_says(guarded: str, tmp_path: Path) -> None:
    """With the right password, over TLS, to a server that is who it should be."""
    database = Database(f"{guarded}?sslmode=verify-full&sslrootcert={tmp_path / 'authority.pem'}")
    with database.read() as link:
        assert link.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)
    database.close()


def test_what_is_wrong_is_told_by_the_setting(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another password or none, nobody's name, no such database, another authority, no TLS there: never the password."""
    Authority(tmp_path, "stranger")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    for address, said in (
        (guarded.replace(PASSWORD, "another-word"), "password authentication failed"),
        (guarded.replace(f":{PASSWORD}", ""), "no password supplied"),
        (guarded.replace(f"asked:{PASSWORD}", "nobody"), 'role "nobody" does not exist'),
        (f"{guarded}_not", "does not exist"),
        (f"{guarded}?sslmode=verify-full&sslrootcert={tmp_path / 'stranger.pem'}", "certificate verify failed"),
        (f"{guarded}?sslmode=verify-full&sslrootcert={tmp_path / 'nowhere.pem'}", "does not exist"),
    ):
        with pytest.raises(HubError) as refused:
            Database(address)
        told = f"{refused.value.message} {refused.value.value}"
        assert (refused.value.code, refused.value.field) == ("store_refused", "store"), told
        assert said in told
        assert "mend [hub] store, or the password that it names" in told
        assert PASSWORD not in told
        assert "another-word" not in told


def test_a_server_without_tls(postgres_url: str) -> None:
    """Who wants it is refused, and does not wait for it."""
    with pytest.raises(HubError, match=r"does not support SSL.*mend \[hub\] store") as refused:
        Database(f"{postgres_url}?sslmode=require")
    assert not isinstance(refused.value, StoreAway)
