"""A configuration folder into one `Configuration`, or a `ConfigError` with everything that is wrong in it.

hub.toml                                       tenants, sources, channels, merchants, doors
properties/<property>.toml                     one property each
policies/cancellation/<trade>/<level>.toml     terms `<trade>/<level>`; later versions in <level>.<anything>.toml
notices/<property>/<kind>.toml                 a property's own text of a notice
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from config import checks
from config.found import Found
from config.problems import ConfigError, Problem
from config.reading import TomlFile
from config.settings import Amqp, Configuration, Effects, Http, Hub, Kafka, Mail, Merchant, Tracing, content_hash
from schemas.notice import Language, NoticeKind, NoticeText
from schemas.policy import ChannelProfile, PropertyPolicy, SourceProfile, Strict, TenantPolicy, Terms

SHIPPED = Path(__file__).parent / "shipped"
MOST_FILES = 20_000
_DEFAULTS = PropertyPolicy(property="", version="", tenant="", zone="")
T = TypeVar("T", bound=msgspec.Struct)


class _HubFile(Strict, frozen=True, kw_only=True):
    """The keys of hub.toml."""

    tenants: tuple[TenantPolicy, ...]
    hub: Hub = Hub()
    http: Http = Http()
    amqp: Amqp = Amqp()
    kafka: Kafka = Kafka()
    effects: Effects = Effects()
    tracing: Tracing = Tracing()
    mail: Mail = Mail()
    sources: tuple[SourceProfile, ...] = ()
    channels: tuple[ChannelProfile, ...] = ()
    merchants: tuple[Merchant, ...] = ()


def load(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Configuration:
    """Everything in `folder` (None: the shipped configuration), with what `environ` overrides.

    Overrides: FOLIOHUB_STORE, FOLIOHUB_HTTP_HOST, FOLIOHUB_HTTP_PORT, FOLIOHUB_AMQP_URL,
    FOLIOHUB_KAFKA_BOOTSTRAP and, for a merchant's address, FOLIOHUB_MERCHANT_<MERCHANT>_BASE_URL. Raises ConfigError, which names
    every problem with file and line.
    """
    root = SHIPPED if folder is None else folder
    found = Found(problems=[])
    if not (root / "hub.toml").is_file():
        raise ConfigError([Problem(file=str(root / "hub.toml"), line=0, message="there is no such file", code="missing_file")])
    hub = None
    for path in _files(root, found.problems):
        name = path.relative_to(root).as_posix()
        file = TomlFile(name, found.problems)
        parts = name.split("/")
        if name == "hub.toml":
            hub = _hub(file, path, found, environ)
        elif parts[0] == "properties" and len(parts) == 2:
            found.property_files.append((file, path))
        elif parts[:2] == ["policies", "cancellation"] and len(parts) == 4:
            found.unread_terms |= not _terms(file, path, parts[2], path.name.split(".")[0], found)
        elif parts[0] == "notices" and len(parts) == 3:
            _texts(file, path, parts[1], path.stem, found)
        else:
            file.problem((), "is not read by anything: see the layout in docs/configuration.md", code="unknown_file")
    for file, path in found.property_files:
        found.unread_properties |= not _property(file, path, found)
    found.unread = hub is None
    checks.check(found)
    if found.problems or hub is None:
        raise ConfigError(sorted(found.problems, key=lambda problem: (problem.file, problem.line)))
    return _configuration(root, hub, found)


def _configuration(root: Path, hub: _HubFile, found: Found) -> Configuration:
    properties = {one.property: one for _, one in found.properties}
    terms = tuple(one for _, one in found.terms)
    return Configuration(
        folder=root,
        hub=hub.hub,
        http=hub.http,
        amqp=hub.amqp,
        kafka=hub.kafka,
        effects=hub.effects,
        tracing=hub.tracing,
        mail=hub.mail,
        texts=found.texts,
        tenants={one.tenant: one for one in hub.tenants},
        properties=properties,
        terms=terms,
        sources={one.source: one for one in hub.sources},
        channels={one.channel: one for one in found.channels},
        merchants={one.merchant: one for one in hub.merchants},
        version=content_hash(hub, properties, terms, *([found.texts] if found.texts else [])),
    )


def _files(root: Path, problems: list[Problem]) -> Iterator[Path]:
    paths = sorted(path for path in root.rglob("*.toml") if not any(part.startswith(".") for part in path.relative_to(root).parts))
    if len(paths) > MOST_FILES:
        problems.append(Problem(file=str(root), line=0, message=f"has more than {MOST_FILES} .toml files"))
    yield from paths[:MOST_FILES]


def _hub(file: TomlFile, path: Path, found: Found, environ: Mapping[str, str]) -> _HubFile | None:
    found.hub = file
    if not file.parse(path):
        return None
    _override(file, environ)
    hub = file.read(_HubFile, file.table, ())
    if hub is not None:
        found.tenants, found.sources, found.merchants = hub.tenants, hub.sources, hub.merchants
        found.amqp, found.kafka, found.effects, found.mail = hub.amqp, hub.kafka, hub.effects, hub.mail
        found.channels = tuple(msgspec.structs.replace(one, source=one.source or f"ota.{one.channel}") for one in hub.channels)
    return hub


def address_variable(merchant: str) -> str:
    """The environment variable with a merchant's address."""
    return f"FOLIOHUB_MERCHANT_{merchant.upper().replace('-', '_')}_BASE_URL"


def _override(file: TomlFile, environ: Mapping[str, str]) -> None:
    """Values of the environment in place of those of the file."""
    for variable, table, key in (
        ("FOLIOHUB_STORE", "hub", "store"),
        ("FOLIOHUB_HTTP_HOST", "http", "host"),
        ("FOLIOHUB_HTTP_PORT", "http", "port"),
        ("FOLIOHUB_AMQP_URL", "amqp", "url"),
        ("FOLIOHUB_KAFKA_BOOTSTRAP", "kafka", "bootstrap"),
    ):
        value: Any = environ.get(variable, "")
        if not value:
            continue
        if key == "port":
            if not (value.isascii() and value.isdecimal()) or int(value) > 65_535:
                file.problems.append(Problem(file=variable, line=0, message="is not a port (0 to 65535)", value=value[:60]))
                continue
            value = int(value)
        section = file.table.setdefault(table, {})
        if isinstance(section, dict):
            section[key] = value
    merchants = file.table.get("merchants")
    for merchant in merchants if isinstance(merchants, list) else []:
        if isinstance(merchant, dict) and (address := environ.get(address_variable(str(merchant.get("merchant", ""))))):
            merchant["base_url"] = address


def _terms(file: TomlFile, path: Path, trade: str, level: str, found: Found) -> bool:
    if not file.parse(path):
        return False
    tranches = file.table.get("tranches")
    if isinstance(tranches, list) and len(tranches) == 3 and isinstance(tranches[2], dict):
        tranches[2].setdefault("from_notice", 0)  # the last has no lower limit
    terms = file.read(Terms, file.table, (), {"name": f"{trade}/{level}", "trade": trade})
    if terms is not None:
        found.terms.append((file, terms))
    return terms is not None


class _NoticeFile(Strict, frozen=True, kw_only=True):
    """A property's own text of a notice, in the languages that it has one in; in all others it is the shipped one."""

    en: NoticeText | None = None
    fr: NoticeText | None = None
    it: NoticeText | None = None
    es: NoticeText | None = None
    de: NoticeText | None = None
    nl: NoticeText | None = None


def _texts(file: TomlFile, path: Path, property_: str, kind: str, found: Found) -> None:
    if kind not in set(NoticeKind):
        file.problem((), f"is no notice's name: {', '.join(NoticeKind)}", value=kind, code="unknown_file")
        return
    texts = file.read(_NoticeFile, file.table, ()) if file.parse(path) else None
    if texts is not None:
        written = {Language(language): text for language in Language if (text := getattr(texts, language)) is not None}
        found.texts.setdefault(property_, {})[NoticeKind(kind)] = written
        found.text_files.append((file, property_))


def _property(file: TomlFile, path: Path, found: Found) -> bool:
    """Whether it is one. A property without a zone takes its tenant's, only if that is set (A-32)."""
    if not file.parse(path):
        return False
    given: dict[str, object] = {}
    tenant = next((one for one in found.tenants if one.tenant == file.table.get("tenant")), None)
    if "zone" not in file.table:
        if tenant is not None and tenant.zone:
            given["zone"] = tenant.zone
        else:
            file.problem(("zone",), "is missing and the tenant sets no default zone (A-32)", code="unknown_zone")
            given["zone"] = ""
    policy = file.read(PropertyPolicy, file.table, (), given)
    if policy is None:
        return False
    who = {**_DEFAULTS.who_may_cancel, **policy.who_may_cancel}
    found.properties.append((file, msgspec.structs.replace(policy, who_may_cancel=who)))
    return True
