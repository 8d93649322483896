"""How brokers are reached, and who we are to them: TLS, a certificate of our own, a name with a password. From `[kafka]` alone.

What a client of aiokafka tells of a refusal it writes to its log and says "unable to bootstrap": whoever starts is told the reason.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import faust
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from faust.types.auth import CredentialsT

from config.settings import Configuration
from schemas.errors import HubError

_ASK_MS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`context` None: nothing is encrypted. `files`: what it was made of, by librdkafka's names. `mechanism` empty: nobody asks for a
    name."""

    context: ssl.SSLContext | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def protocol(self) -> str:
        """Under Kafka's name."""
        return ("SASL_" if self.mechanism else "") + ("SSL" if self.context else "PLAINTEXT")

    def client(self) -> dict[str, Any]:
        """For a client of aiokafka's."""
        said: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.context}
        if self.mechanism:
            said |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.username, "sasl_plain_password": self.password}
        return said

    def librdkafka(self) -> dict[str, Any]:
        """For its producer."""
        said: dict[str, Any] = {"security.protocol": self.protocol, **self.files}
        if self.mechanism:
            said |= {"sasl.mechanism": self.mechanism, "sasl.username": self.username, "sasl.password": self.password}
        return said

    def faust(self) -> CredentialsT | None:
        """For Faust's."""
        if self.mechanism:
            return faust.SASLCredentials(
                username=self.username, password=self.password, ssl_context=self.context, mechanism=self.mechanism
            )
        return faust.SSLCredentials(self.context) if self.context else None


OPEN: Final = Access()


def access_of(configuration: Configuration) -> Access:
    """As `[kafka]` says. Raises HubError (`secret_missing`, `kafka_access`), which names the key and never shows what is secret."""
    kafka = configuration.kafka
    context, files = None, dict[str, str]()
    if kafka.encrypted:
        context = _context(configuration.folder, kafka.ca, kafka.certificate, kafka.key)
        said = {"ca": kafka.ca, "certificate": kafka.certificate, "key": kafka.key or kafka.certificate}
        files = {f"ssl.{name}.location": str(configuration.folder / file) for name, file in said.items() if file}
    if not kafka.named:
        return Access(context=context, files=files)
    assert kafka.password is not None, "held by config/hub_file.py"
    return Access(
        context=context,
        files=files,
        mechanism=kafka.mechanism,
        username=kafka.username,
        password=configuration.secret(kafka.password),
    )


def _context(folder: Path, ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Brokers prove who they are by name; without `ca` to the authorities that the system trusts."""
    try:
        context = ssl.create_default_context(cafile=str(folder / ca) if ca else None)
    except (OSError, ssl.SSLError) as wrong:
        raise _unusable("ca", ca, wrong) from None
    if certificate:
        try:
            context.load_cert_chain(folder / certificate, folder / key if key else None, password=lambda: "")
        except (OSError, ssl.SSLError) as wrong:
            raise _unusable("certificate", f"{certificate}, {key}", wrong) from None
    return context


def _unusable(setting: str, value: str, wrong: OSError) -> HubError:
    return HubError(
        f"[kafka] {setting} = {value}: {wrong.strerror or wrong}: name files in PEM, relative to the configuration's folder",
        code="kafka_access", field=setting, value=value,
    )  # fmt: skip


async def refusal(bootstrap: str, access: Access) -> HubError | None:
    """Why the first broker that answers does not let us in; None: it does, or none answers. Names the setting to mend."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            connection = await create_conn(host, int(port), request_timeout_ms=_ASK_MS, **access.client())
        except (AuthenticationFailedError, SaslAuthenticationFailed):
            return _refused(bootstrap, "password", f"refuses user {access.username!r}: mend [kafka] username or password")
        except (UnsupportedSaslMechanismError, AuthenticationMethodNotSupported):
            return _refused(bootstrap, "mechanism", f"does not take {access.mechanism}: mend [kafka] mechanism")
        except ssl.SSLCertVerificationError as wrong:
            return _refused(bootstrap, "ca", f"is not who it should be ({wrong.verify_message}): mend [kafka] ca or bootstrap")
        except ssl.SSLError as wrong:
            return _refused(bootstrap, "security", f"speaks no TLS with us ({wrong.reason}): mend [kafka] security or certificate")
        except (OSError, KafkaError, TimeoutError):
            continue
        connection.close()
        return None
    return None


def _refused(bootstrap: str, setting: str, what: str) -> HubError:
    return HubError(f"Kafka at {bootstrap} {what}", code="kafka_refused", field=setting, value=bootstrap)
