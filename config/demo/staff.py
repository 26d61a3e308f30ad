"""The demo's staff: accounts for each role, and a key for a till. They exist in demo mode only.

There are two administrators, two agents and two supervisors of customer service, so that what one asks for another can approve.
"""

from datetime import datetime

from django.contrib.auth.models import Group

from members.actors import SYSTEM
from members.models import ApiKey, Channel, Operator, Store
from members.services.keys import SCOPES, issue_key

# role (group), user name, name shown, store
ACCOUNTS = [
    ("administrator", "admin", "陈思远", None),
    ("administrator", "admin2", "何静", None),
    ("marketing", "marketing", "林晓雨", None),
    ("service", "service", "周佳怡", None),
    ("service", "service2", "沈梦琪", None),
    ("service supervisor", "supervisor", "王丽", None),
    ("service supervisor", "supervisor2", "赵敏", None),
    ("finance", "finance", "郑国强", None),
    ("store", "store", "李婷", "SH01"),
    ("analyst", "analyst", "吴一诺", None),
]


def make_accounts(password: str) -> list[tuple[str, str]]:
    """Make the demo accounts, or set their password anew; return (role, user name)."""
    made = []
    for role, username, name, store in ACCOUNTS:
        operator, is_new = Operator.objects.get_or_create(username=username, defaults={"display_name": name})
        operator.is_staff = True
        operator.is_active = True
        if is_new or not operator.check_password(password):
            operator.set_password(password)
        operator.save()
        operator.groups.set(Group.objects.filter(name=role))
        operator.stores.set(Store.objects.filter(code=store) if store else [])
        made.append((role, username))
    return made


def make_till_key(*, at: datetime) -> str:
    """Make a key for the till of the first store, unless there is one; return it, or an empty text."""
    store = Store.objects.order_by("code").filter(code="SH01").first()
    if store is None or ApiKey.objects.filter(name="Demo till", revoked_at=None).exists():
        return ""
    channel = Channel.objects.get(code="till")
    issued = issue_key(
        name="Demo till", scopes=list(SCOPES), store_id=store.pk, channel_id=channel.pk, source="till", by=SYSTEM, at=at
    )
    return issued.secret
