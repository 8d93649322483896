"""What single keys of `[mail]` cannot show: that a server has a sender, a password goes encrypted, properties and texts are somebody's."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from config.reading import TomlFile
from config.settings import Mail

_NEAR: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def check(file: TomlFile | None, mail: Mail, properties: Collection[str] | None, texts: Iterable[tuple[TomlFile, str]]) -> None:
    """Notes every mistake at its key; `properties`: None where they are not all known; `texts`: the files with texts of properties' own,
    and whose they are."""
    for text, property_ in texts:
        if properties is not None and property_ not in properties:
            text.problem((), f"there is no property {property_!r}", value=property_)
    if file is None:
        return
    if mail.host and not mail.from_:
        file.problem(("mail", "from"), "is missing: who the mail is from", code="missing_key")
    if mail.username and mail.password is None:
        file.problem(("mail", "password"), f"is missing: the secret of {mail.username!r}", code="missing_key")
    if mail.password is not None and not mail.username:
        file.problem(("mail", "username"), "is missing: whose password it is", code="missing_key")
    if mail.password is not None and mail.security == "none" and mail.host not in _NEAR:
        file.problem(("mail", "security"), "would send the password in clear: use starttls or tls", value=mail.security)
    for n, one in enumerate(mail.properties):
        if properties is not None and one.property not in properties:
            file.problem(("mail", "properties", n, "property"), "there is no such property", value=one.property)
        if one.property in [other.property for other in mail.properties[:n]]:
            file.problem(("mail", "properties", n, "property"), "is given twice", value=one.property)
