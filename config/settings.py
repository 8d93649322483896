"""What an installation settles: its store, doors, broker, providers, and how requests to the outside are timed.

Secrets are never here: a key that needs one names an environment variable or a file. Policies that are frozen with bookings are
in `schemas/policy.py`. Every key is described in docs/configuration.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.errors import HubError
from schemas.notice import Language, NoticeKind, NoticeText
from schemas.policy import ChannelProfile, PropertyPolicy, SourceProfile, Strict, TenantPolicy, Terms

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_MAX_SECRET = 4096


class Secret(Strict, frozen=True, kw_only=True):
    """Where a secret is: an environment variable or a file of one line, relative to the configuration folder."""

    env: Annotated[str, Meta(max_length=120)] = ""
    file: Annotated[str, Meta(max_length=500)] = ""

    def __post_init__(self) -> None:
        if bool(self.env) == bool(self.file):
            raise ValueError("a secret is named by exactly one of env and file")


class Http(Strict, frozen=True, kw_only=True):
    """The HTTP face. It listens on loopback unless told otherwise; `wait_s` bounds `?wait=`."""

    host: Annotated[str, Meta(min_length=1, max_length=255)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8480
    max_body_bytes: Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024)] = 2 * 1024 * 1024
    wait_s: Seconds = 30.0


class AmqpIntake(Strict, frozen=True, kw_only=True):
    """A queue that the hub reads. `tenants`: those it may speak for; empty means all. `operators`: whether operators' words, which
    release and stop payouts, may come this way.

    `partitions`: so many queues instead, behind an exchange named `queue` that deals messages out by a hash of their routing key, so
    that several gateways can read and order is kept; they are made by `foliohub topics provision`. 0: one queue, and one reader.
    """

    queue: Annotated[str, Meta(min_length=1, max_length=240)]
    partitions: Annotated[int, Meta(ge=0, le=64)] = 0
    exchange_type: Literal["x-modulus-hash", "x-consistent-hash"] = "x-modulus-hash"  # docs/decisions/0014 says why
    tenants: tuple[str, ...] = ()
    operators: bool = False


class Amqp(Strict, frozen=True, kw_only=True):
    """The broker. Without `url` there is none. `password` replaces the one in the address, which must have none.

    Outcomes go to `exchange`; each source with `outcomes` gets a queue of its own name behind it.
    """

    url: Annotated[str, Meta(max_length=500)] = ""
    password: Secret | None = None
    intake: tuple[AmqpIntake, ...] = (AmqpIntake(queue="foliohub.intake"),)
    exchange: Annotated[str, Meta(min_length=1, max_length=255)] = "foliohub.outcomes"
    prefetch: Annotated[int, Meta(ge=1, le=65_535)] = 500
    confirm_timeout_s: Seconds = 10.0


class Kafka(Strict, frozen=True, kw_only=True):
    """The brokers that carry the intake to several workers, and outcomes to whoever listens. Without `bootstrap` there is none: the
    store itself is the log. Their topics are made by `foliohub topics provision`.

    `group`: workers of one name share the lanes. `single_node`: one replica will do, for trials only. `security`: whether connections
    are encrypted (`ca` says whom to believe, `certificate` and `key` who we are) and whether brokers ask for a name with a password.
    """

    bootstrap: Annotated[str, Meta(max_length=1000)] = ""
    group: Annotated[str, Meta(min_length=1, max_length=200, pattern="^[A-Za-z0-9._-]+$")] = "foliohub-workers"
    session_s: Annotated[float, Meta(ge=6, le=30)] = 10.0  # a worker that says nothing for so long loses its lanes
    single_node: bool = False
    linger_ms: Annotated[int, Meta(ge=0, le=1000)] = 0
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    ca: Annotated[str, Meta(max_length=500)] = ""
    certificate: Annotated[str, Meta(max_length=500)] = ""
    key: Annotated[str, Meta(max_length=500)] = ""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: Annotated[str, Meta(max_length=255)] = ""
    password: Secret | None = None

    @property
    def encrypted(self) -> bool:
        """Whether connections are."""
        return self.security in ("ssl", "sasl_ssl")

    @property
    def named(self) -> bool:
        """Whether we say a name and a password."""
        return self.security.startswith("sasl_")


class Effects(Strict, frozen=True, kw_only=True):
    """Requests to providers (design.md §6). An effect in doubt is queried `query_after_s` after its call, each time later than
    the last, and goes to a person after the last; one that the provider has accepted is asked after by `pending_after_s`."""

    deadline_s: Seconds = 30.0  # connecting, writing and reading together
    lease_s: Seconds = 90.0
    query_after_s: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=50)] = (5, 30, 120, 600, 1800, 3600, 10800, 21600)
    pending_after_s: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=50)] = (60, 600, 3600, 14400, 43200, 86400)
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4  # calls at once, of one merchant
    per_second: Annotated[float, Meta(gt=0, le=1000)] = 10.0  # calls of one merchant
    breaker_failures: Count = 5  # so many calls in a row without an answer, and the merchant rests
    breaker_rest_s: Seconds = 30.0


Address = Annotated[str, Meta(max_length=254, pattern=r"^$|^[^@\s]+@[^@\s]+$")]


class MailProperty(Strict, frozen=True, kw_only=True):
    """What mail of one property looks like: its own `name` and sender, and where the `merchant` is written to."""

    property: str
    name: Annotated[str, Meta(max_length=120)] = ""
    from_: Address = msgspec.field(name="from", default="")
    reply_to: Address = ""
    merchant: Address = ""


class Mail(Strict, frozen=True, kw_only=True):
    """The server that takes notices. Without `host` none leave: those that properties want wait until there is one.

    A mail that nobody has is tried again after each of `retry_after_s`, the last of them again and again, until it is `give_up_hours`
    old. `deadline_s`: one mail, from connecting to the server's answer. `connections`: mails at once.
    """

    host: Annotated[str, Meta(max_length=255)] = ""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca: Annotated[str, Meta(max_length=500)] = ""
    username: Annotated[str, Meta(max_length=255)] = ""
    password: Secret | None = None
    from_: Address = msgspec.field(name="from", default="")
    deadline_s: Seconds = 60.0
    connections: Annotated[int, Meta(ge=1, le=16)] = 2
    retry_after_s: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=50)] = (60, 300, 900, 3600, 10800, 21600)
    give_up_hours: Annotated[int, Meta(ge=1, le=720)] = 96
    properties: tuple[MailProperty, ...] = ()


class Tracing(Strict, frozen=True, kw_only=True):
    """Spans, from the door to the outcome, to a collector that speaks OTLP over HTTP. Without `endpoint`, and where the standard
    environment names none, there are none."""

    endpoint: Annotated[str, Meta(max_length=500, pattern="^(https?://.+)?$")] = ""


class Hub(Strict, frozen=True, kw_only=True):
    """One machine's own: the store, and how long things are kept."""

    store: Annotated[str, Meta(min_length=1, max_length=1000)] = "var/foliohub.sqlite"
    chunk: Annotated[int, Meta(ge=1, le=10_000)] = 500  # messages of one transaction
    inbox_days: Annotated[int, Meta(ge=1, le=3650)] = 35  # how long a repeated message is recognised by its identity alone
    dead_letter_days: Annotated[int, Meta(ge=1, le=3650)] = 90  # then the key of kept bytes is destroyed
    ready_lag: Annotated[int, Meta(ge=1, le=100_000_000)] = (
        100_000  # with more messages than this in its lanes a worker is not ready
    )


class Merchant(Strict, frozen=True, kw_only=True):
    """A merchant's account at a provider. `environment` and `base_url` must fit: test keys meet only test endpoints (X-27).

    `sha_out` may name two passphrases while one is being replaced. Empty parameter lists mean the connector's own.
    """

    merchant: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
    tenant: str
    pspid: Annotated[str, Meta(min_length=1, max_length=64)]
    userid: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Secret
    sha_in: Secret
    sha_out: Annotated[tuple[Secret, ...], Meta(min_length=1, max_length=4)]
    provider: Literal["ogone"] = "ogone"
    base_url: Annotated[str, Meta(min_length=1, max_length=500, pattern="^https?://")]
    environment: Literal["test", "live"] = "test"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha512"
    charset: Literal["iso-8859-1", "utf-8"] = "iso-8859-1"
    scheme: Literal["all_parameters", "main_parameters_only"] = "all_parameters"
    level_amounts: Literal["operation", "cumulated"] = "operation"
    in_parameters: tuple[str, ...] = ()
    out_parameters: tuple[str, ...] = ()
    in_order: tuple[str, ...] = ()
    out_order: tuple[str, ...] = ()
    wire_digits: dict[str, Annotated[int, Meta(ge=0, le=4)]] = msgspec.field(default_factory=dict)
    page_suffix: Literal["", "_utf8"] = ""
    concurrency: Annotated[int, Meta(ge=1, le=64)] | None = None  # None: as [effects]
    per_second: Annotated[float, Meta(gt=0, le=1000)] | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read from one folder, checked as a whole. `version` is a hash of the content: same content, same
    version, wherever the folder lies and whatever its secrets are. `terms` holds every version of every name."""

    folder: Path
    hub: Hub
    http: Http
    amqp: Amqp
    kafka: Kafka
    effects: Effects
    tenants: dict[str, TenantPolicy]
    properties: dict[str, PropertyPolicy]
    terms: tuple[Terms, ...]
    sources: dict[str, SourceProfile]
    channels: dict[str, ChannelProfile]
    merchants: dict[str, Merchant]
    tracing: Tracing = Tracing()
    mail: Mail = Mail()
    texts: dict[str, dict[NoticeKind, dict[Language, NoticeText]]] = msgspec.field(default_factory=dict)  # of properties, their own
    version: str = ""

    def secret(self, ref: Secret, environ: Mapping[str, str] = os.environ) -> str:
        """The secret itself, without the line end of its file. Raises HubError `secret_missing`, which never shows it."""
        if ref.env:
            text = environ.get(ref.env, "")
        else:
            try:
                text = (self.folder / ref.file).read_bytes()[: _MAX_SECRET + 1].decode().rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
                raise HubError(f"secret file {ref.file}: {reason}", code="secret_missing", field="file", value=ref.file) from None
        if not text or len(text) > _MAX_SECRET:
            where = f"environment variable {ref.env}" if ref.env else f"secret file {ref.file}"
            raise HubError(f"{where} is empty or not set", code="secret_missing", field="env" if ref.env else "file", value=where)
        return text


def content_hash(*parts: object) -> str:
    """First 16 hex digits of a hash over settled values; rates as exact fractions, keys in order."""
    encoded = msgspec.json.encode(parts, enc_hook=str, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()[:16]
