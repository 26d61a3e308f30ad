"""The second step at sign-in: six digits of an app on the operator's phone (RFC 6238), and recovery codes for its loss.

The secret is derived from a key outside the database, so that a copy of the database lets nobody in. Digits are good
once; wrong ones are counted (`sign_in_tries`).
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyotp
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from members import roles
from members.models import Operator, RecoveryCode, SecondStep
from members.queries import programme
from members.refusals import MembersRefusal
from members.services.sign_in_tries import Kind, count_try, forgive

#: Whose sign-in the programme's policy covers, beside superusers.
ROLES: Final = (roles.ADMINISTRATOR, roles.FINANCE, roles.SERVICE_SUPERVISOR)
RECOVERY_CODES: Final = 10
ISSUER: Final = "Perennial"
_SECONDS: Final = 30
_DIGITS: Final = 6
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # nothing that is easily misread
_CODE_LENGTH: Final = 10


class WrongDigits(MembersRefusal):
    """Neither the digits of this moment nor a recovery code that is left."""

    code = "wrong_digits"
    text = _("These digits are not right. Take those that the app shows now; each can be used once.")
    status = 422


class HasSecondStep(MembersRefusal):
    """The second step is in use already."""

    code = "has_second_step"
    text = _("The second step is in use already. Take it away first to set it up on another phone.")


class NoSecondStep(MembersRefusal):
    """There is no second step, or it was not begun."""

    code = "no_second_step"
    text = _("The second step is not set up.")


class SecondStepRequired(MembersRefusal):
    """The programme asks this role for it."""

    code = "second_step_required"
    text = _("Your role must sign in with a second step, so it can not be switched off.")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the app must know: the secret as text, and the address that the square code holds."""

    secret: str
    address: str


def has_second_step(operator: Operator) -> bool:
    """Return whether the operator is asked for digits."""
    return SecondStep.objects.filter(pk=operator.pk, confirmed_at__isnull=False).exists()


def is_required(operator: Operator) -> bool:
    """Return whether the programme's policy asks this operator for a second step."""
    if not programme().second_step_required:
        return False
    return operator.is_superuser or operator.groups.filter(name__in=ROLES).exists()


def begin_enrolment(*, operator: Operator, at: datetime) -> Enrolment:
    """Return the secret that the app must know; the same until it is confirmed. Raises `HasSecondStep`."""
    step, _made = SecondStep.objects.get_or_create(
        pk=operator.pk, defaults={"nonce": secrets.token_bytes(16), "begun_at": at}
    )
    if step.confirmed_at is not None:
        raise HasSecondStep
    secret = _secret_of(step)
    address = pyotp.TOTP(secret).provisioning_uri(name=operator.username, issuer_name=ISSUER)
    return Enrolment(secret, address)


def confirm_enrolment(*, operator: Operator, digits: str, at: datetime) -> list[str]:
    """Put the second step to use when the app shows the right digits; return the recovery codes, shown this once.

    All other sessions of the operator end. Raises `HasSecondStep`, `NoSecondStep`, `WrongDigits`, `SignInLocked`.
    """
    count_try(kind=Kind.DIGITS, key=str(operator.pk), at=at)
    with transaction.atomic():
        step = SecondStep.objects.select_for_update(no_key=True).filter(pk=operator.pk).first()
        if step is None:
            raise NoSecondStep
        if step.confirmed_at is not None:
            raise HasSecondStep
        if not _use_digits(step, digits, at):
            raise WrongDigits
        SecondStep.objects.filter(pk=operator.pk).update(confirmed_at=at)
        codes = _new_recovery_codes(operator)
        end_sessions(operator=operator)
        forgive(kind=Kind.DIGITS, key=str(operator.pk))
    return codes


def check_digits(*, operator: Operator, digits: str, at: datetime) -> bool:
    """Accept digits of the app, or a recovery code; return whether it was a recovery code.

    Either is good once. Raises `NoSecondStep`, `WrongDigits`, `SignInLocked`.
    """
    count_try(kind=Kind.DIGITS, key=str(operator.pk), at=at)
    with transaction.atomic():
        step = SecondStep.objects.filter(pk=operator.pk, confirmed_at__isnull=False).first()
        if step is None:
            raise NoSecondStep
        is_recovery = not _use_digits(step, digits, at)
        if is_recovery and not _use_recovery_code(operator, digits, at):
            raise WrongDigits
        forgive(kind=Kind.DIGITS, key=str(operator.pk))
    return is_recovery


def renew_recovery_codes(*, operator: Operator, digits: str, at: datetime) -> list[str]:
    """Replace the recovery codes against the digits of this moment; return the new ones. Raises as `check_digits`."""
    check_digits(operator=operator, digits=digits, at=at)  # by itself: a wrong try stays counted
    with transaction.atomic():
        return _new_recovery_codes(operator)


def switch_off(*, operator: Operator, digits: str, at: datetime) -> None:
    """Take one's own second step away against the digits of this moment. Raises `SecondStepRequired`, and as `check_digits`."""
    if is_required(operator):
        raise SecondStepRequired
    check_digits(operator=operator, digits=digits, at=at)
    with transaction.atomic():
        _take_away(operator)


def take_away(*, operator: Operator) -> None:
    """Take a colleague's second step away, since the phone is lost: all sessions end. Raises `NoSecondStep`."""
    with transaction.atomic():
        if not SecondStep.objects.filter(pk=operator.pk).exists():
            raise NoSecondStep
        _take_away(operator)
        end_sessions(operator=operator)
        forgive(kind=Kind.DIGITS, key=str(operator.pk))


def end_sessions(*, operator: Operator) -> None:
    """End every session of an operator; the row in hand knows it afterwards."""
    Operator.objects.filter(pk=operator.pk).update(sign_in_epoch=F("sign_in_epoch") + 1)
    operator.refresh_from_db(fields=["sign_in_epoch"])


def codes_left(operator: Operator) -> int:
    """Return how many recovery codes are left."""
    return RecoveryCode.objects.filter(operator=operator, used_at__isnull=True).count()


def _take_away(operator: Operator) -> None:
    RecoveryCode.objects.filter(operator=operator).delete()
    SecondStep.objects.filter(pk=operator.pk).delete()


def _secret_of(step: SecondStep) -> str:
    told = b"second-step:%d:" % step.operator_id + bytes(step.nonce)
    return base64.b32encode(hmac.digest(settings.CODE_SECRET.encode(), told, hashlib.sha256)[:20]).decode()


def _use_digits(step: SecondStep, digits: str, at: datetime) -> bool:
    """Use up the digits of this half minute or its neighbours; return whether they were right and not used before."""
    given = "".join(digits.split())
    if len(given) != _DIGITS or not given.isascii() or not given.isdigit():
        return False
    app = pyotp.TOTP(_secret_of(step))
    now = int(at.timestamp()) // _SECONDS
    for half_minute in (now, now - 1, now + 1):
        if hmac.compare_digest(app.generate_otp(half_minute), given):
            used = SecondStep.objects.filter(pk=step.pk, nonce=step.nonce, last_step__lt=half_minute)
            return used.update(last_step=half_minute) == 1
    return False


def _use_recovery_code(operator: Operator, code: str, at: datetime) -> bool:
    left = RecoveryCode.objects.filter(operator=operator, code_hash=_hash(operator, code), used_at__isnull=True)
    return left.update(used_at=at) == 1


def _new_recovery_codes(operator: Operator) -> list[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _n in range(_CODE_LENGTH)) for _row in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(operator=operator).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(operator=operator, code_hash=_hash(operator, code)) for code in codes)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _hash(operator: Operator, code: str) -> bytes:
    plain = "".join(character for character in code.upper() if character in _ALPHABET)
    told = f"recovery:{operator.pk}:{plain}".encode()
    return hmac.digest(settings.CODE_SECRET.encode(), told, hashlib.sha256)
