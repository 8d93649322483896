"""A Kafka with doors of every kind: TLS with a name and a password, TLS with certificates on both sides, a password alone."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.services.kafka import Kafka
from tests.services.processes import free_ports

USER: Final = "hub"
PASSWORD: Final = "guarded-by-a-test"
_PLAIN: Final = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class Authority:
    """Signs certificates: files in PEM, in `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        made = self._certificate(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of somebody at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._certificate(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, x509.BasicConstraints(ca=False, path_length=None)
        )
        certificate, secret = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return certificate, secret

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, constraints: x509.BasicConstraints
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject).issuer_name(self._name).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(days=1))
            .add_extension(constraints, critical=True).add_extension(alternatives, critical=False)
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip


class GuardedKafka(Kafka):
    """`guarded`: SASL over TLS (SCRAM-SHA-512, PLAIN). `mutual`: TLS, and who comes shows a certificate. `named`: SCRAM-SHA-256 alone.
    `bootstrap` is open, for looking at it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._guards = dict(zip(("GUARDED", "MUTUAL", "NAMED"), free_ports(3), strict=True))
        self.guarded, self.mutual, self.named = (f"127.0.0.1:{port}" for port in self._guards.values())
        self.authority = Authority(folder, "authority")
        certificate, key = self.authority.sign("broker")
        (folder / "broker.pem").write_bytes(key.read_bytes() + certificate.read_bytes())

    def _users(self) -> tuple[str, ...]:
        mechanisms = ("SCRAM-SHA-256", "SCRAM-SHA-512")
        return tuple(word for one in mechanisms for word in ("--add-scram", f"{one}=[name={USER},password={PASSWORD}]"))

    def _properties(self) -> dict[str, str]:
        said = super()._properties()
        doors = "".join(f",{name}://127.0.0.1:{port}" for name, port in self._guards.items())
        return said | {
            "listeners": said["listeners"] + doors,
            "advertised.listeners": said["advertised.listeners"] + doors,
            "listener.security.protocol.map": (
                said["listener.security.protocol.map"] + ",GUARDED:SASL_SSL,MUTUAL:SSL,NAMED:SASL_PLAINTEXT"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str((self.folder / "broker.pem").resolve()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file.resolve()),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.guarded.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.guarded.scram-sha-512.sasl.jaas.config": _SCRAM,
            "listener.name.guarded.plain.sasl.jaas.config": _PLAIN,
            "listener.name.named.sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "listener.name.named.scram-sha-256.sasl.jaas.config": _SCRAM,
        }
