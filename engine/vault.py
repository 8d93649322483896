"""Sealing: what is about a person is stored only under that person's own key, and gone when the key is destroyed (X-11).

Keys are random, wrapped with the hub's master key, and kept apart from what they seal. The master key never enters the store: it
lies beside it in a file that only its owner reads, or comes from the environment variable FOLIOHUB_MASTER_KEY (64 hex digits).
"""

from __future__ import annotations

import base64
import hmac
import os
import threading
from binascii import b2a_base64
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.store.opening import is_database
from schemas.errors import HubError
from schemas.personal import SEALED as MARK

_CACHED = 4096
_NONCE, _KEY = 12, 32  # bytes of AES-256 in Galois/Counter mode


class SubjectKey(NamedTuple):
    """A new key, to be stored in the same transaction as what it seals."""

    tenant: str
    subject: str
    wrapped: bytes


class KeyShelf(Protocol):
    """Where wrapped keys are kept."""

    def wrapped_keys(self, tenant: str, subjects: Sequence[str]) -> Mapping[str, bytes]:
        """The keys of these subjects, without those that have none."""


class Plain(NamedTuple):
    """A text to seal."""

    tenant: str
    subject: str
    text: str


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
        self._print = blake2b(key=_derived(master, b"fingerprint"), digest_size=16)
        self._shelf = shelf
        self._open: OrderedDict[tuple[str, str], AESGCM] = OrderedDict()
        self._lock = threading.Lock()
        self.fresh: list[SubjectKey] = []

    def fingerprint(self, content: bytes) -> bytes:
        """A keyed hash, 16 bytes: equal contents are recognised, and nothing can be guessed from it without the master key."""
        printed = self._print.copy()
        printed.update(content)
        return printed.digest()

    def seal(self, tenant: str, subject: str, text: str) -> str:
        """`text` under the subject's key; what is sealed already stays."""
        return self.seal_all((Plain(tenant, subject, text),))[0]

    def seal_all(self, texts: Sequence[Plain]) -> list[str]:
        """The same for many at once."""
        subjects: dict[str, set[str]] = {}
        for tenant, subject, text in texts:
            if not text.startswith(MARK):
                subjects.setdefault(tenant, set()).add(subject)
        keys = {tenant: self._keys(tenant, named, create=True) for tenant, named in subjects.items()}
        noise = os.urandom(_NONCE * len(texts))
        sealed = []
        for place, (tenant, subject, text) in enumerate(texts):
            if not text.startswith(MARK):
                nonce = noise[place * _NONCE : (place + 1) * _NONCE]
                hidden = nonce + keys[tenant][subject].encrypt(nonce, text.encode(), _about(tenant, subject))
                text = MARK + b2a_base64(hidden, newline=False).decode()
            sealed.append(text)
        return sealed

    def seal_bytes(self, tenant: str, subject: str, content: bytes) -> bytes:
        """The same for bytes."""
        nonce = os.urandom(_NONCE)
        return nonce + self._keys(tenant, (subject,), create=True)[subject].encrypt(nonce, content, _about(tenant, subject))

    def open(self, tenant: str, subject: str, text: str) -> str | None:
        """What was sealed; None when the key was destroyed. What is not sealed comes back as it is."""
        if not text.startswith(MARK):
            return text
        content = self.open_bytes(tenant, subject, base64.b64decode(text[len(MARK) :]))
        return None if content is None else content.decode()

    def open_bytes(self, tenant: str, subject: str, sealed: bytes) -> bytes | None:
        """The same for bytes."""
        key = self._keys(tenant, (subject,), create=False).get(subject)
        if key is None:
            return None
        try:
            return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], _about(tenant, subject))
        except InvalidTag:
            return None

    def forget(self, tenant: str, subject: str) -> None:
        """Drop a destroyed key from memory."""
        with self._lock:
            self._open.pop((tenant, subject), None)

    def drop_fresh(self) -> None:
        """What was sealed with these keys was not stored, nor were they: somebody else may have stored others meanwhile."""
        for tenant, subject, _ in self.fresh:
            self.forget(tenant, subject)
        self.fresh.clear()

    def _keys(self, tenant: str, subjects: Collection[str], *, create: bool) -> dict[str, AESGCM]:
        """The keys of these subjects, one look at the shelf for all that are not in memory; those that have none get one, or are left
        out."""
        found: dict[str, AESGCM] = {}
        with self._lock:
            for subject in subjects:
                key = self._open.get((tenant, subject))
                if key is not None:
                    self._open.move_to_end((tenant, subject))
                    found[subject] = key
        if len(found) == len(subjects):
            return found
        strange = [subject for subject in subjects if subject not in found]
        wrapped = self._shelf.wrapped_keys(tenant, strange)
        opened = {subject: AESGCM(self._unwrapped(tenant, subject, key)) for subject, key in wrapped.items()}
        if create:
            opened.update(self._made(tenant, [subject for subject in strange if subject not in opened]))
        with self._lock:
            self._open.update(((tenant, subject), key) for subject, key in opened.items())
            while len(self._open) > _CACHED:
                self._open.popitem(last=False)
        return found | opened

    def _unwrapped(self, tenant: str, subject: str, wrapped: bytes) -> bytes:
        try:
            return self._wrap.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _about(tenant, subject))
        except InvalidTag:
            raise HubError("the master key does not fit this store", code="master_key_wrong", field="master_key") from None

    def _made(self, tenant: str, subjects: Sequence[str]) -> Iterator[tuple[str, AESGCM]]:
        noise = os.urandom((_NONCE + _KEY) * len(subjects))
        for place, subject in enumerate(subjects):
            middle = place * (_NONCE + _KEY) + _NONCE
            nonce, raw = noise[middle - _NONCE : middle], noise[middle : middle + _KEY]
            self.fresh.append(SubjectKey(tenant, subject, nonce + self._wrap.encrypt(nonce, raw, _about(tenant, subject))))
            yield subject, AESGCM(raw)


def master_key(store: str, shelf: MarkShelf) -> bytes:
    """The master key of the store at `store`: from the environment, or from `<store>.key`, which is made (mode 0600) for a file that
    never had one. A database has no file beside it.

    Raises HubError `master_key_missing` for a store that had one, and `master_key_wrong` for a key that is not 64 hex digits or not
    the one that this store was written under: what it sealed would be unreadable, and what comes again would not be known again.
    """
    text = os.environ.get("FOLIOHUB_MASTER_KEY", "")
    if not text and is_database(store):
        raise HubError(
            "a PostgreSQL store has no file beside it for its master key: set FOLIOHUB_MASTER_KEY (64 hex digits) for every process of"
            " the hub, and keep it where no backup of the database goes",
            code="master_key_missing", field="master_key",
        )  # fmt: skip
    text = text or _kept(Path(f"{store}.key"), make=shelf.master_mark() is None)
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


def _about(tenant: str, subject: str) -> bytes:
    """What a sealed text and a wrapped key are bound to."""
    return f"{tenant}\x1f{subject}".encode()
