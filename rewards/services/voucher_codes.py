"""Codes of vouchers: 80 bits derived from a secret and the voucher's public id, so stored nowhere; a keyed hash finds them."""

from uuid import UUID

from rewards.services.secret_codes import derived_code, lookup_key


def voucher_code(public_id: UUID) -> str:
    """Return the code of a voucher, for its owner's eyes: four groups of four."""
    return derived_code("voucher-code", public_id)


def code_hmac(code: str) -> bytes:
    """Return the look-up key of a code; spaces, hyphens, case and easily misread letters do not matter."""
    return lookup_key("voucher-lookup", code)
