"""Who signs wallet passes: a certificate for the kind of pass, its key, and the certificate of the authority above it.

They come from the settings, and are read again when their files change. A wallet takes no pass whose certificate has
ended or is for another kind, so that such credentials count as none: better no file than one that no phone accepts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal

CERTIFICATE: Final = "WALLET_PASS_CERTIFICATE"
KEY: Final = "WALLET_PASS_KEY"
PASSWORD: Final = "WALLET_PASS_KEY_PASSWORD"  # noqa: S105 - the name of a setting
INTERMEDIATE: Final = "WALLET_PASS_INTERMEDIATE"
TYPE: Final = "WALLET_PASS_TYPE"
TEAM: Final = "WALLET_PASS_TEAM"
#: All of them, or none. The password is needed only by a key that has one.
NEEDED: Final = (CERTIFICATE, KEY, INTERMEDIATE, TYPE, TEAM)

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey


class WalletPassUnavailable(MembersRefusal):
    """Nobody can sign a wallet pass here: nothing is set up, or what is set up does not fit or has ended."""

    code = "wallet_pass_unavailable"
    text = _("There are no wallet passes here yet. The electronic card works without.")
    status = 404


class CredentialsFault(Exception):
    """The settings of wallet passes can not be used. Its words say why, to whoever runs the portal, in the active language."""


class CredentialsEnded(CredentialsFault):
    """A certificate is not valid at the moment. Time brings this about, nobody's typing."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signs a pass, and the names by which the wallet knows the kind of pass."""

    certificate: x509.Certificate
    key: PrivateKey
    intermediate: x509.Certificate
    type_id: str
    team_id: str


def credentials_at(at: datetime) -> Credentials:
    """Return what signs passes at a moment. Raises `WalletPassUnavailable`."""
    try:
        return checked_credentials(at)
    except CredentialsFault as fault:
        raise WalletPassUnavailable from fault


def what_is_missing(at: datetime) -> str:
    """Return what whoever runs the portal has to do before passes can be signed; empty when they can."""
    try:
        checked_credentials(at)
    except CredentialsFault as fault:
        return str(fault)
    return ""


def is_begun() -> bool:
    """Whether any of the settings was made."""
    return any(getattr(settings, name) for name in (*NEEDED, PASSWORD))


def checked_credentials(at: datetime) -> Credentials:
    """Return what signs passes at a moment. Raises `CredentialsFault` with what whoever runs the portal has to do."""
    missing = [name for name in NEEDED if not getattr(settings, name)]
    if missing:
        words = gettext(
            "Wallet passes can be made once %(settings)s are set in the environment (README, Configuration)."
        )
        raise CredentialsFault(words % {"settings": ", ".join(missing)})
    values = tuple(str(getattr(settings, name)) for name in (CERTIFICATE, KEY, INTERMEDIATE, TYPE, TEAM, PASSWORD))
    found = _read(values, tuple(_changed_at(path) for path in values[:3]))
    for name, certificate in ((CERTIFICATE, found.certificate), (INTERMEDIATE, found.intermediate)):
        if not certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc:
            words = gettext(
                "The certificate of %(setting)s is valid from %(begin)s to %(end)s; put a new one in its place."
            )
            begin, end = certificate.not_valid_before_utc.date(), certificate.not_valid_after_utc.date()
            raise CredentialsEnded(words % {"setting": name, "begin": begin.isoformat(), "end": end.isoformat()})
    return found


@lru_cache(maxsize=2)
def _read(values: tuple[str, ...], _changed: tuple[int, ...]) -> Credentials:
    """Return the credentials of the settings, read anew when a file has changed. Raises `CredentialsFault`."""
    certificate_path, key_path, intermediate_path, type_id, team_id, password = values
    certificate = _certificate(CERTIFICATE, certificate_path)
    key = _key(key_path, password)
    intermediate = _certificate(INTERMEDIATE, intermediate_path)
    if _public_bytes(key.public_key()) != _public_bytes(certificate.public_key()):
        raise CredentialsFault(_about(gettext("The key of %(setting)s does not belong to the certificate."), KEY))
    try:
        certificate.verify_directly_issued_by(intermediate)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as error:
        words = gettext("The certificate of %(setting)s did not issue the one that signs passes.")
        raise CredentialsFault(_about(words, INTERMEDIATE)) from error
    for name, oid, value in ((TYPE, NameOID.USER_ID, type_id), (TEAM, NameOID.ORGANIZATIONAL_UNIT_NAME, team_id)):
        there = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]
        if value not in there:
            words = gettext("The certificate is for “%(there)s”, and %(setting)s says something else.")
            raise CredentialsFault(words % {"setting": name, "there": ", ".join(there)})
    return Credentials(certificate, key, intermediate, type_id, team_id)


def _certificate(name: str, path: str) -> x509.Certificate:
    content = _content(name, path)
    load = x509.load_pem_x509_certificate if _is_pem(content) else x509.load_der_x509_certificate
    return _loaded(lambda: load(content), name, gettext("The file of %(setting)s holds no certificate."))


def _key(path: str, password: str) -> PrivateKey:
    content, secret = _content(KEY, path), password.encode() or None
    load = load_pem_private_key if _is_pem(content) else load_der_private_key
    words = gettext("The file of %(setting)s holds no private key, or WALLET_PASS_KEY_PASSWORD does not open it.")
    key = _loaded(lambda: load(content, secret), KEY, words)
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise CredentialsFault(_about(gettext("The key of %(setting)s is of a kind that can not sign passes."), KEY))
    return key


def _loaded[Thing](load: Callable[[], Thing], name: str, words: str) -> Thing:
    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CredentialsFault(_about(words, name)) from error


def _content(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CredentialsFault(_about(gettext("The file of %(setting)s can not be read."), name)) from error


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0  # reading it says what is wrong


def _is_pem(content: bytes) -> bool:
    return b"-----BEGIN" in content


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]


def _about(words: str, name: str) -> str:
    return words % {"setting": name}
