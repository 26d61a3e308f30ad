"""The account under which the keys of a source propose changes: no person, no sign-in, no role, and never an approver.

It stands in the place of the maker, so that the rule that nobody approves what they proposed holds for keys as for people.
"""

from typing import Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.db import transaction

from members.models import Operator

#: What no name of a person begins with: the forms of operators do not take a colon.
_PREFIX: Final = "key:"


def account_of_source(source: str, *, permission: str) -> Operator:
    """Return the account of a source, made where it is missing, with the right to propose one sort of change."""
    with transaction.atomic():
        account, _is_new = Operator.objects.get_or_create(
            username=_PREFIX + source,
            defaults={"display_name": source, "is_staff": False, "password": make_password(None)},
        )
        if not account.has_perm(permission):
            app_label, _dot, codename = permission.partition(".")
            account.user_permissions.add(Permission.objects.get(content_type__app_label=app_label, codename=codename))
            account = Operator.objects.get(pk=account.pk)  # which has not looked up its rights yet
    return account


def name_of_source(source: str) -> str:
    """Return the name of the account of a source."""
    return _PREFIX + source
