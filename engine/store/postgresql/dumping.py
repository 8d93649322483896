"""Backup and restore of a database by PostgreSQL's own programs; the password goes to them by their environment alone.

A backup is one consistent view while hubs go on. A restore is one transaction: the old schema is set aside, the new one made, and the
word that it was restored is written, or nothing happened.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import psycopg
from psycopg import pq

from engine.store.contract import StoreTaken
from engine.store.copies import Copied, Restored, Tell, appearing, now, reason_of
from engine.store.postgresql.database import Database
from engine.store.postgresql.failing import is_refusal
from engine.store.postgresql.link import Link, without_password
from engine.store.postgresql.upgrading import LOCK, at_work
from schemas.errors import HubError

HEAD: Final = b"PGDMP"
_PIECE: Final = 1 << 20
_USED: Final = (
    "SELECT EXISTS (SELECT 1 FROM foliohub.configuration) OR EXISTS (SELECT 1 FROM foliohub.intake)"
    " OR EXISTS (SELECT 1 FROM foliohub.lane WHERE epoch > 0)"
)


def back_up(address: str, to: str, tell: Tell) -> Copied:
    """Raises HubError: `exists`, `not_installed`, `backup_broken`, and what opening the store raises."""
    store = Database(address, writer=False)
    try:
        with appearing(to) as draft, store.read() as link:
            link.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            snapshot = link.execute("SELECT pg_export_snapshot()").fetchone()[0]
            at = now()
            generation, last, size = link.execute(
                "SELECT (SELECT value FROM meta WHERE name = 'generation')::bigint, (SELECT coalesce(max(seq), 0) FROM decision),"
                " (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relnamespace = 'foliohub'::regnamespace"
                " AND relkind IN ('r', 'm'))"
            ).fetchone()
            tell(f"pg_dump writes {size // 1_000_000} MB, less when it is packed")
            command = ["--format=custom", "--schema=foliohub", f"--snapshot={snapshot}", f"--file={draft}", "--no-password"]
            _ran("pg_dump", command, environment(address), to)
            _ran("pg_restore", ["--file=/dev/null", draft], environment(address), to)  # all of it can be read
        return Copied(
            store=store.name, to=to, engine="postgresql", at=at, generation=generation, last_decision=last, store_size=size,
            size=Path(to).stat().st_size,
        )  # fmt: skip
    finally:
        store.close()


def restore(source: str, address: str, tell: Tell, *, replace: bool) -> Restored:
    """Raises HubError: `store_taken` while others are on the store, `not_empty`, `not_installed`, `backup_broken`."""
    name = without_password(address)
    listed = _ran("pg_restore", ["--list", source], environment(address), source)
    if not re.search(r"TABLE DATA foliohub decision ", listed):
        raise HubError(f"{source} holds no store", code="not_a_backup", field="from", value=source)
    made = re.search(r"Archive created at (\S+ \S+)", listed)
    at = made[1].replace(" ", "T") + "Z" if made else "an unknown day"
    _ran("pg_restore", ["--file=/dev/null", source], environment(address), source)
    kept, epoch, first = _set_aside(address, name, replace)
    last = (
        f"UPDATE foliohub.lane SET epoch = greatest(epoch, {epoch}) + 1;\n"
        f"INSERT INTO foliohub.meta VALUES ('restored', '{reason_of(at)}') ON CONFLICT (name) DO UPDATE SET value = excluded.value;\n"
        "COMMIT;\nANALYZE;\n"
    )
    tell("pg_restore reads it back")
    _pumped(source, address, f"BEGIN;\nSELECT pg_advisory_xact_lock({LOCK});\n{first}", last)
    with psycopg.connect(address) as connection:
        row = connection.execute(
            "SELECT (SELECT value FROM foliohub.meta WHERE name = 'generation')::bigint, coalesce(max(seq), 0) FROM foliohub.decision"
        ).fetchone()
    assert row is not None
    return Restored(
        source=source, to=name, engine="postgresql", backup_at=at, generation=row[0], last_decision=row[1], kept=kept
    )  # fmt: skip


def _set_aside(address: str, name: str, replace: bool) -> tuple[str, int, str]:
    """What becomes of the schema that is there, the last epoch that it knew, and the statement that does it."""
    try:
        with psycopg.connect(address, connect_timeout=5) as connection:
            if at_work(Link(connection)):
                raise StoreTaken(f"{name}: somebody has this store open: stop every hub on it first", field="to", value=name)
            there = connection.execute("SELECT to_regclass('foliohub.meta') IS NOT NULL").fetchone()
            if there is None or not there[0]:
                return "", 0, ""
            used = connection.execute(_USED).fetchone()
            if used is not None and not used[0]:
                return "", 0, "DROP SCHEMA foliohub CASCADE;\n"
            if not replace:
                raise HubError(
                    f"{name} holds a store: name another database, or say --replace; what is there is kept as another schema",
                    code="not_empty", field="to", value=name,
                )  # fmt: skip
            row = connection.execute("SELECT max(epoch) FROM foliohub.lane").fetchone()
            kept = f"foliohub_replaced_{re.sub('[^0-9]', '', now())}"
            return f"schema {kept}", int(row[0]) if row else 0, f"ALTER SCHEMA foliohub RENAME TO {kept};\n"
    except psycopg.OperationalError as away:
        code = "store_refused" if is_refusal(away) else "store_away"
        raise HubError(f"{name}: {str(away).strip()}", code=code, field="to", value=name) from None


def _pumped(source: str, address: str, first: str, last: str) -> None:
    """What pg_restore writes, between two pieces of ours, into one psql; its end is only said when all of it was there."""
    env = environment(address)
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as warned:
        reader = subprocess.Popen(  # noqa: S603 - PostgreSQL's own, and no shell
            [_program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", source], env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=warned,
        )  # fmt: skip
        writer = subprocess.Popen(  # noqa: S603
            [_program("psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=told,
        )  # fmt: skip
        assert reader.stdout is not None
        assert writer.stdin is not None
        try:
            writer.stdin.write(first.encode())
            while piece := reader.stdout.read(_PIECE):
                writer.stdin.write(piece)
            if reader.wait():
                writer.kill()
            else:
                writer.stdin.write(last.encode())
        except BrokenPipeError:
            pass  # it says why
        except BaseException:
            writer.kill()
            raise
        finally:
            reader.kill()
            reader.stdout.close()
            reader.wait()
            with suppress(BrokenPipeError):
                writer.stdin.close()
            status = writer.wait()
        if status:
            text = _said(warned) or _said(told)
            raise HubError(f"{source}: {text}. Nothing was changed", code="not_restored", field="from", value=source)


def environment(address: str) -> dict[str, str]:
    """Everything that an address says, as the programs of PostgreSQL read it from their environment, the password too."""
    named = {
        option.envvar.decode(): option.val.decode()
        for option in pq.Conninfo.parse(address.encode())
        if option.envvar and option.val
    }
    return {**os.environ, "TZ": "UTC", "PGAPPNAME": "foliohub-copy", "PGCONNECT_TIMEOUT": "5", **named}


def _ran(program: str, arguments: Sequence[str], env: dict[str, str], file: str) -> str:
    ran = subprocess.run(  # noqa: S603 - PostgreSQL's own, and no shell
        [_program(program), *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if ran.returncode:
        text = ran.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise HubError(f"{file}: {text}", code="backup_broken", field="file", value=file)
    return ran.stdout.decode(errors="replace")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise HubError(
            f"{name} is missing, which belongs to PostgreSQL: on Debian, apt-get install postgresql-client", code="not_installed",
            field="store", value="postgresql",
        )  # fmt: skip
    return found


def _said(file: IO[Any]) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace")).strip().partition("\n")[0]
