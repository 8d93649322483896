"""The post of a configuration: its texts, its mail server, and who a property's mail is from and to (its merchant)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import structlog

from config.problems import ConfigError, Problem
from config.reading import TomlFile
from config.settings import Configuration, Mail
from connectors.mail.client import SmtpClient, SmtpServer
from connectors.mail.codec import Party, letter
from connectors.mail.codes import Delivery
from connectors.mail.rendering import Texts, wrongs
from handlers.notice_table import BY_KIND
from schemas.errors import HubError
from schemas.notice import Audience, Language, NoticeKind

log = structlog.get_logger(__name__)


class Client(Protocol):
    """What hands a letter in."""

    def send(self, sender: str, recipient: str, letter: bytes) -> Delivery: ...


class Post:
    """Writes notices and hands them in. Any thread may."""

    def __init__(self, mail: Mail, texts: Texts, client: Client) -> None:
        self.mail = mail
        self._texts, self._client = texts, client
        self._of = {one.property: one for one in mail.properties}

    def merchant(self, property_: str) -> Party:
        """Where a property's merchant is written to. Raises HubError `no_address`."""
        of = self._of.get(property_)
        if of is None or not of.merchant:
            raise HubError(
                f"{property_} has no merchant's address: set it in [mail] properties", code="no_address", field="merchant"
            )
        return Party(of.merchant, of.name)

    def written(
        self, notice: str, folio: str, kind: NoticeKind, language: Language, property_: str, variables: Mapping[str, Any], to: Party,
        at: datetime,
    ) -> bytes:  # fmt: skip
        """The letter. Raises HubError `template_variable`, `template_broken` or `bad_address`."""
        of = self._of.get(property_)
        audience = BY_KIND[kind].audience
        name = to.name if audience is Audience.GUEST else ""
        written = self._texts.write(
            kind, language, audience, property_, variables, name=name, property_name=of.name if of else ""
        )  # fmt: skip
        sender = Party(self.sender(property_), (of.name if of else "") or property_)
        return letter(written, notice, folio, sender, to, at, of.reply_to if of else "")

    def sender(self, property_: str) -> str:
        """Who a property's mail is from."""
        of = self._of.get(property_)
        return (of.from_ if of else "") or self.mail.from_

    def hand_in(self, property_: str, to: str, written: bytes) -> Delivery:
        """One letter, once."""
        return self._client.send(self.sender(property_), to, written)


def wrong_texts(configuration: Configuration) -> list[Problem]:
    """Properties' own texts that could not be written, at their lines."""
    problems = []
    for one in wrongs(configuration.texts):
        file = TomlFile(one.file, [])
        if (path := configuration.folder / one.file).is_file():
            file.parse(path)
        line, message, code, value = one.mistake
        at = _line_of(file, file.line((one.language.value, one.part)), line)
        problems.append(Problem(file=one.file, line=at, key=f"{one.language}.{one.part}", message=message, value=value, code=code))
    return problems


def _line_of(file: TomlFile, key: int, line: int) -> int:
    """The line of the file in which the `line`-th of a text stands, whose key is in line `key`; one in three quotes may begin below it."""
    begins = "".join(file.text.splitlines()[key - 1 : key]).rstrip()
    return key + line - (0 if begins.endswith(('"""', "'''")) and begins.count(begins[-1]) == 3 else 1)


def post_of(configuration: Configuration, environ: Mapping[str, str] = os.environ) -> Post | None:
    """The post that a configuration names; None where it names no server. Raises ConfigError for texts that miss something, and HubError
    `secret_missing`."""
    mail = configuration.mail
    try:
        texts = Texts(configuration.texts)
    except HubError:  # of one text: here all of them are told, at their lines
        raise ConfigError(wrong_texts(configuration)) from None
    wanting = {name: set(one.notices) for name, one in configuration.properties.items() if one.notices}
    if not mail.host:
        if wanting:
            log.warning("no_mail_server", properties=sorted(wanting), meaning="their notices wait")
        return None
    reached = {one.property for one in mail.properties if one.merchant}
    for name, kinds in wanting.items():
        if name not in reached and any(BY_KIND[kind].audience is Audience.MERCHANT for kind in kinds):
            log.warning(
                "merchant_not_reached", property=name, meaning="notices to its merchant fail: [mail] properties has no address"
            )
    ca = str(configuration.folder / mail.ca) if mail.ca else ""
    password = configuration.secret(mail.password, environ) if mail.password is not None else ""
    server = SmtpServer(mail.host, mail.port, mail.security, mail.username, password, ca, mail.deadline_s)
    return Post(mail, texts, SmtpClient(server))
