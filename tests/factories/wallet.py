"""Certificates that sign wallet passes, made for the test: an authority, one below it, and the one of a kind of pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

TYPE, TEAM = "pass.com.example.card", "TEAM123456"
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Chain:
    """A root, the intermediate that it issued, and the certificate of the pass with its key."""

    root: x509.Certificate
    intermediate: x509.Certificate
    certificate: x509.Certificate
    key: RSAPrivateKey


@cache
def a_key(name: str) -> RSAPrivateKey:
    """Return a key; the same one for the same name."""
    return generate_private_key(65537, 2048)


def a_chain(*, type_id: str = TYPE, team_id: str = TEAM, begin: datetime = BEGIN, end: datetime = END) -> Chain:
    """Return a chain whose last certificate is for this kind of pass and team, and valid over [begin, end)."""
    root = _certificate({NameOID.COMMON_NAME: "Root"}, a_key("root"), None, a_key("root"))
    above = _certificate({NameOID.COMMON_NAME: "Intermediate"}, a_key("intermediate"), root, a_key("root"))
    names = {
        NameOID.USER_ID: type_id,
        NameOID.COMMON_NAME: f"Pass Type ID: {type_id}",
        NameOID.ORGANIZATIONAL_UNIT_NAME: team_id,
    }
    below = _certificate(names, a_key("pass"), above, a_key("intermediate"), begin=begin, end=end)
    return Chain(root, above, below, a_key("pass"))


def wallet_settings(
    folder: Path, chain: Chain, *, password: str = "", encoding: Encoding = Encoding.PEM
) -> dict[str, str]:
    """Write the chain into a folder; return the settings that name it."""
    locked: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    contents = {
        "certificate": chain.certificate.public_bytes(encoding),
        "intermediate": chain.intermediate.public_bytes(encoding),
        "key": chain.key.private_bytes(encoding, PrivateFormat.PKCS8, locked),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {
        "WALLET_PASS_CERTIFICATE": str(folder / "certificate"),
        "WALLET_PASS_KEY": str(folder / "key"),
        "WALLET_PASS_KEY_PASSWORD": password,
        "WALLET_PASS_INTERMEDIATE": str(folder / "intermediate"),
        "WALLET_PASS_TYPE": TYPE,
        "WALLET_PASS_TEAM": TEAM,
    }


def use(settings: Any, values: Mapping[str, str]) -> None:
    """Make these the settings."""
    for name, value in values.items():
        setattr(settings, name, value)


def _certificate(
    names: Mapping[x509.ObjectIdentifier, str],
    key: RSAPrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: RSAPrivateKey,
    *,
    begin: datetime = BEGIN,
    end: datetime = END,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names.items()])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end - timedelta(seconds=1))
        .add_extension(x509.BasicConstraints(ca=key is not a_key("pass"), path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )
