"""Sealing: what is about a person is stored only under that person's own key, and gone when the key is destroyed (X-11).

Keys are random, wrapped with the hub's master key, and kept apart from what they seal. The master key never enters the store: it
lies beside it in a file that only its owner reads, or comes from the environment variable FOLIOHUB_MASTER_KEY (64 hex digits).
"""

from __future__ import annotations

import base64
import hmac
import os
import threading
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import HubError

MARK = "sealed:1:"
_CACHED = 4096


class SubjectKey(NamedTuple):
    """A new key, to be stored in the same transaction as what it seals."""

    tenant: str
    subject: str
    wrapped: bytes


class KeyShelf(Protocol):
    """Where wrapped keys are kept."""

    def wrapped_key(self, tenant: str, subject: str) -> bytes | None: ...


class MarkShelf(Protocol):
    """What a store remembers of its master key: enough to know it again, nothing to make it from."""

    def master_mark(self) -> bytes | None:
        """None for a store that never had a key."""

    def keep_master_mark(self, mark: bytes) -> bytes:
        """Remember the first one; which it is."""


class Vault:
    """Seals and opens. Thread-safe. `fresh` keys wait to be stored with what they sealed."""

    def __init__(self, master: bytes, shelf: KeyShelf) -> None:
        self._wrap = AESGCM(_derived(master, b"wrap"))
        self._print = _derived(master, b"fingerprint")
        self._shelf = shelf
        self._open: OrderedDict[tuple[str, str], AESGCM] = OrderedDict()
        self._lock = threading.Lock()
        self.fresh: list[SubjectKey] = []

    def fingerprint(self, content: bytes) -> bytes:
        """A keyed hash, 16 bytes: equal contents are recognised, and nothing can be guessed from it without the master key."""
        return blake2b(content, key=self._print, digest_size=16).digest()

    def seal(self, tenant: str, subject: str, text: str) -> str:
        """`text` under the subject's key; what is sealed already stays."""
        if text.startswith(MARK):
            return text
        return MARK + base64.b64encode(self.seal_bytes(tenant, subject, text.encode())).decode()

    def seal_bytes(self, tenant: str, subject: str, content: bytes) -> bytes:
        """The same for bytes."""
        key = self._key(tenant, subject, create=True)
        assert key is not None
        nonce = os.urandom(12)
        return nonce + key.encrypt(nonce, content, f"{tenant}\x1f{subject}".encode())

    def open(self, tenant: str, subject: str, text: str) -> str | None:
        """What was sealed; None when the key was destroyed. What is not sealed comes back as it is."""
        if not text.startswith(MARK):
            return text
        content = self.open_bytes(tenant, subject, base64.b64decode(text[len(MARK) :]))
        return None if content is None else content.decode()

    def open_bytes(self, tenant: str, subject: str, sealed: bytes) -> bytes | None:
        """The same for bytes."""
        key = self._key(tenant, subject, create=False)
        if key is None:
            return None
        try:
            return key.decrypt(sealed[:12], sealed[12:], f"{tenant}\x1f{subject}".encode())
        except InvalidTag:
            return None

    def forget(self, tenant: str, subject: str) -> None:
        """Drop a destroyed key from memory."""
        with self._lock:
            self._open.pop((tenant, subject), None)

    def _key(self, tenant: str, subject: str, *, create: bool) -> AESGCM | None:
        name = (tenant, subject)
        with self._lock:
            if name in self._open:
                self._open.move_to_end(name)
                return self._open[name]
        about = f"{tenant}\x1f{subject}".encode()
        wrapped = self._shelf.wrapped_key(tenant, subject)
        if wrapped is not None:
            try:
                raw = self._wrap.decrypt(wrapped[:12], wrapped[12:], about)
            except InvalidTag:
                raise HubError("the master key does not fit this store", code="master_key_wrong", field="master_key") from None
        elif create:
            raw = AESGCM.generate_key(256)
            nonce = os.urandom(12)
            self.fresh.append(SubjectKey(tenant, subject, nonce + self._wrap.encrypt(nonce, raw, about)))
        else:
            return None
        key = AESGCM(raw)
        with self._lock:
            self._open[name] = key
            if len(self._open) > _CACHED:
                self._open.popitem(last=False)
        return key


def master_key(store: str, shelf: MarkShelf) -> bytes:
    """The master key of the store at the path `store`: from the environment, or from `<store>.key`, which is made (mode 0600) for a
    store that never had one.

    Raises HubError `master_key_missing` for a store that had one, and `master_key_wrong` for a key that is not 64 hex digits or not
    the one that this store was written under: what it sealed would be unreadable, and what comes again would not be known again.
    """
    text = os.environ.get("FOLIOHUB_MASTER_KEY", "") or _kept(Path(f"{store}.key"), make=shelf.master_mark() is None)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise HubError(
            "the master key is not 64 hex digits: restore it from where you keep it", code="master_key_wrong", field="master_key"
        )
    mark = _derived(key, b"mark")
    if not hmac.compare_digest(shelf.master_mark() or shelf.keep_master_mark(mark), mark):
        raise HubError(
            f"the master key is not the one of {store}: restore it from where you keep it",
            code="master_key_wrong",
            field="master_key",
        )
    return key


def _kept(path: Path, *, make: bool) -> str:
    """The text of a key's file; a new one is whole when it appears, and never takes the place of another."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        if not make:
            raise HubError(
                f"{path} is gone, and without it nothing that is sealed in this store can be read: restore it from where you keep it, or"
                " set FOLIOHUB_MASTER_KEY",
                code="master_key_missing",
                field="master_key",
            ) from None
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise HubError(f"{path} cannot be read: {error.strerror}", code="master_key_missing", field="master_key") from None
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(os.urandom(32).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: theirs counts
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


def _derived(master: bytes, purpose: bytes) -> bytes:
    return blake2b(purpose, key=master, digest_size=32, person=b"foliohub").digest()
