"""Pass files: what stands on the pass, its pictures and its texts per language, sealed by a list of digests that is signed."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from members.wallet.credentials import Credentials

CONTENT_TYPE: Final = "application/vnd.apple.pkpass"
#: Folders of the texts by language. A wallet knows languages by these names.
FOLDERS: Final[Mapping[str, str]] = {"zh-hans": "zh-Hans.lproj", "zh-hant": "zh-Hant.lproj", "en": "en.lproj"}
_IMAGES: Final = Path(__file__).parent / "images"
_TEXTS: Final = "pass.strings"


def pass_file(*, about: Mapping[str, Any], texts: Mapping[str, Mapping[str, str]], credentials: Credentials) -> bytes:
    """Return a signed pass. `about` is what stands on it; `texts` says its words by language, from those in `about`."""
    named = {
        "formatVersion": 1,
        "passTypeIdentifier": credentials.type_id,
        "teamIdentifier": credentials.team_id,
        **about,
    }
    files = {"pass.json": json.dumps(named, ensure_ascii=False).encode()}
    files |= {path.name: path.read_bytes() for path in sorted(_IMAGES.glob("*.png"))}
    files |= {f"{FOLDERS[language]}/{_TEXTS}": strings_file(words) for language, words in texts.items()}
    # SHA-1 is what the format asks for. What is signed is the list; nobody gains by two files of one digest here.
    digests = {name: hashlib.sha1(content, usedforsecurity=False).hexdigest() for name, content in files.items()}
    manifest = json.dumps(digests).encode()
    return _archive({**files, "manifest.json": manifest, "signature": _signature(manifest, credentials)})


def strings_file(texts: Mapping[str, str]) -> bytes:
    """Return texts as wallets read them: from each word on the pass to that of the language, in UTF-16."""
    lines = (f'"{_escaped(text)}" = "{_escaped(translated)}";\n' for text, translated in texts.items())
    return "\ufeff".encode("utf-16-le") + "".join(lines).encode("utf-16-le")


def _signature(manifest: bytes, credentials: Credentials) -> bytes:
    """Return the detached signature. It says when it was made, by the clock of the machine, as wallets want it."""
    builder = (
        PKCS7SignatureBuilder()
        .set_data(manifest)
        .add_signer(credentials.certificate, credentials.key, SHA256())
        .add_certificate(credentials.intermediate)
    )
    return builder.sign(Encoding.DER, [PKCS7Options.DetachedSignature, PKCS7Options.Binary])


def _archive(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
    return stream.getvalue()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
