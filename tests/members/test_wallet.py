"""Who signs wallet passes: whole or not at all, and said in words."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import translation

from config.checks import wallet_passes
from members.wallet.credentials import (
    NEEDED,
    CredentialsFault,
    WalletPassUnavailable,
    checked_credentials,
    credentials_at,
    what_is_missing,
)
from members.wallet.files import strings_file
from tests.factories.wallet import END, TYPE, Chain, a_chain, a_key, use, wallet_settings

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)


def replaced(chain: Chain, **parts: Any) -> Chain:
    return Chain(
        **{name: parts.get(name, getattr(chain, name)) for name in ("root", "intermediate", "certificate", "key")}
    )


def said(at: datetime = AT) -> str:
    with translation.override("en"):
        return what_is_missing(at)


@pytest.fixture
def whole(settings: Any, tmp_path: Path) -> Path:
    """Settings that sign passes; the folder of their files."""
    use(settings, wallet_settings(tmp_path, a_chain()))
    return tmp_path


class TestCredentials:
    @pytest.mark.parametrize(
        ("password", "encoding"),
        [("", Encoding.PEM), ("secret words", Encoding.PEM), ("", Encoding.DER), ("x", Encoding.DER)],
    )
    def test_are_read_in_either_form_with_and_without_a_password(
        self, settings: Any, tmp_path: Path, password: str, encoding: Encoding
    ) -> None:
        chain = a_chain()
        use(settings, wallet_settings(tmp_path, chain, password=password, encoding=encoding))
        found = credentials_at(AT)
        assert (found.certificate, found.intermediate) == (chain.certificate, chain.intermediate)
        assert found.key.private_numbers() == chain.key.private_numbers()
        assert said() == ""
        assert wallet_passes() == []

    def test_nothing_set_is_no_fault_of_the_settings_and_no_pass_either(self) -> None:
        assert wallet_passes() == []
        with pytest.raises(WalletPassUnavailable):
            credentials_at(AT)
        assert all(name in said() for name in NEEDED)
        assert "PASSWORD" not in said()

    @pytest.mark.parametrize("name", NEEDED)
    def test_half_set_is_an_error_that_names_the_rest(self, settings: Any, whole: Path, name: str) -> None:
        setattr(settings, name, "")
        (found,) = wallet_passes()
        assert (found.id, found.is_serious()) == ("perennial.E001", True)
        assert f"once {name} are set" in found.msg
        with pytest.raises(WalletPassUnavailable):
            credentials_at(AT)

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda folder, set_: (folder / "key").unlink(), "WALLET_PASS_KEY can not be read"),
            (lambda folder, set_: set_("WALLET_PASS_CERTIFICATE", str(folder)), "WALLET_PASS_CERTIFICATE can not be read"),
            (lambda folder, set_: (folder / "certificate").write_bytes(b"no"), "WALLET_PASS_CERTIFICATE holds no certificate"),
            (lambda folder, set_: (folder / "intermediate").write_bytes(b"-----BEGIN X"), "WALLET_PASS_INTERMEDIATE holds no"),
            (lambda folder, set_: (folder / "key").write_bytes(b"\x30\x03"), "WALLET_PASS_KEY holds no private key"),
            (lambda folder, set_: set_("WALLET_PASS_KEY_PASSWORD", "not needed"), "WALLET_PASS_KEY holds no private key"),
            (lambda folder, set_: set_("WALLET_PASS_TYPE", "pass.com.example.other"), f"is for “{TYPE}”, and WALLET_PASS_TYPE"),
            (lambda folder, set_: set_("WALLET_PASS_TEAM", "OTHERTEAM1"), "WALLET_PASS_TEAM says something else"),
        ],
    )  # fmt: skip
    def test_that_can_not_be_used_say_why(
        self, settings: Any, whole: Path, spoil: Callable[[Path, Callable[[str, str], None]], object], words: str
    ) -> None:
        assert said() == ""
        spoil(whole, lambda name, value: setattr(settings, name, value))
        assert words in said()
        (found,) = wallet_passes()
        assert (found.id, found.msg) == ("perennial.E001", said())

    def test_of_another_key_or_another_authority_do_not_fit(self, settings: Any, tmp_path: Path) -> None:
        chain = a_chain()
        use(settings, wallet_settings(tmp_path, replaced(chain, key=a_key("other"))))
        assert "WALLET_PASS_KEY does not belong to the certificate" in said()
        use(settings, wallet_settings(tmp_path, replaced(chain, intermediate=chain.root)))
        assert "WALLET_PASS_INTERMEDIATE did not issue" in said()

    def test_that_have_ended_sign_nothing_and_warn_at_the_start(self, settings: Any, tmp_path: Path) -> None:
        end = datetime(2026, 1, 1, tzinfo=UTC)
        use(settings, wallet_settings(tmp_path, a_chain(end=end)))
        assert said(datetime(2025, 12, 31, tzinfo=UTC)) == ""
        assert "valid from 2020-01-01 to 2025-12-31" in said()
        with pytest.raises(WalletPassUnavailable):
            credentials_at(AT)
        (found,) = wallet_passes()
        assert (found.id, found.is_serious()) == ("perennial.W001", False)

    def test_that_begin_later_sign_nothing_yet(self, settings: Any, tmp_path: Path) -> None:
        use(settings, wallet_settings(tmp_path, a_chain(begin=datetime(2030, 1, 1, tzinfo=UTC), end=END)))
        assert "valid from 2030-01-01" in said()

    def test_are_read_anew_when_a_file_was_changed(self, settings: Any, tmp_path: Path) -> None:
        use(settings, wallet_settings(tmp_path, a_chain(end=datetime(2026, 1, 1, tzinfo=UTC))))
        with pytest.raises(CredentialsFault):
            checked_credentials(AT)
        renewed = a_chain()
        wallet_settings(tmp_path, renewed)
        assert checked_credentials(AT).certificate == renewed.certificate


class TestStringsFile:
    def test_is_utf_16_with_a_mark_and_escapes_what_ends_a_text(self) -> None:
        content = strings_file({"Points": '积"分\\\n'})
        assert content.startswith(b"\xff\xfe")
        assert content.decode("utf-16") == '"Points" = "积\\"分\\\\\\n";\n'
