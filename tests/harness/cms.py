"""Reads detached signatures (CMS, once PKCS #7) byte by byte, so that a test does not ask the library that made them."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_SIGNING_TIME = bytes.fromhex("2a864886f70d010905")


@dataclass(frozen=True)
class Part:
    """One value of DER: its tag, what is in it, and its bytes as they stand."""

    tag: int
    content: bytes
    whole: bytes

    @property
    def parts(self) -> list["Part"]:
        found, rest = [], self.content
        while rest:
            part = _first(rest)
            found.append(part)
            rest = rest[len(part.whole) :]
        return found


@dataclass(frozen=True)
class Signed:
    """A signature that holds: who made it, which certificates came with it, and when it says it was made."""

    signer: x509.Certificate
    certificates: list[x509.Certificate]
    signed_at: datetime


def verified(signature: bytes, content: bytes) -> Signed:
    """Return the one signature over `content`; an AssertionError or InvalidSignature when it does not hold."""
    _kind, wrapped = _first(signature).parts
    _version, _algorithms, inside, certificates, signers = wrapped.parts[0].parts
    assert len(inside.parts) == 1, "the content is in the signature: it is not detached"
    known = [x509.load_der_x509_certificate(part.whole) for part in certificates.parts]
    (info,) = signers.parts
    _version, issuer_and_serial, _digest, attributes, _algorithm, value = info.parts
    serial = int.from_bytes(issuer_and_serial.parts[1].content)
    (signer,) = [one for one in known if one.serial_number == serial]
    told = {one.parts[0].content: one.parts[1].parts[0].content for one in attributes.parts}
    assert told[_MESSAGE_DIGEST] == sha256(content).digest(), "signed was something else"
    key = signer.public_key()
    assert isinstance(key, RSAPublicKey)
    as_a_set = b"\x31" + attributes.whole[1:]  # what is signed is the set, not its implicit tag
    key.verify(value.content, as_a_set, PKCS1v15(), SHA256())
    return Signed(signer, known, datetime.strptime(f"{told[_SIGNING_TIME].decode()}+0000", "%y%m%d%H%M%SZ%z"))


def _first(data: bytes) -> Part:
    length, start = data[1], 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + size]), 2 + size
    return Part(data[0], data[start : start + length], data[: start + length])
