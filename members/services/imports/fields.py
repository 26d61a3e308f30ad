"""What the columns of a file of members can mean, guessed from their names or remembered from the last such file."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.models import ImportMapping
from members.opening_balances import opening_balances
from members.services.imports.refusals import FieldMappedTwice, NothingNamesMembers

EXTERNAL_ID: Final = "external_id"
POINTS: Final = "points"
#: What a column can be read as, in the order in which it is offered.
FIELDS: Final[Mapping[str, Promise]] = {
    EXTERNAL_ID: _("number in the other system"),
    "full_name": _("name"),
    "phone": _("phone"),
    "email": _("e-mail"),
    "birthday": _("birthday"),
    "joined_at": _("joined on"),
    "home_store": _("home store (code or name)"),
    "language": _("language"),
    POINTS: _("opening balance (points)"),
}
_NAMING: Final = (EXTERNAL_ID, "phone", "email")

# Names of columns as people write them, without spaces and signs.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    EXTERNAL_ID: (
        "id", "memberid", "memberno", "membernumber", "cardno", "cardnumber", "customerid", "customerno", "externalid", "会员号",
        "会员编号", "会员卡号", "卡号", "旧会员号", "客户编号", "顾客编号", "會員編號", "會員號", "會員卡號", "卡號", "客戶編號", "顧客編號",
    ),
    "full_name": ("name", "fullname", "membername", "customername", "姓名", "会员姓名", "名字", "客户姓名", "會員姓名", "客戶姓名"),
    "phone": (
        "phone", "phonenumber", "phoneno", "mobile", "mobilephone", "mobileno", "tel", "telephone", "cell", "手机", "手机号", "手机号码",
        "电话", "联系电话", "手機", "手機號", "手機號碼", "電話", "聯絡電話",
    ),
    "email": ("email", "mail", "emailaddress", "邮箱", "电子邮箱", "电子邮件", "電郵", "電子郵件", "電子信箱", "信箱"),
    "birthday": ("birthday", "birthdate", "dateofbirth", "dob", "生日", "出生日期", "出生年月日"),
    "joined_at": (
        "joined", "joinedat", "joinedon", "joindate", "registered", "registeredat", "registrationdate", "createdat", "since", "入会日期",
        "入会时间", "注册日期", "注册时间", "开卡日期", "加入日期", "入會日期", "入會時間", "註冊日期", "註冊時間", "開卡日期",
    ),
    "home_store": (
        "store", "storecode", "homestore", "shop", "branch", "门店", "门店编码", "门店代码", "开卡门店", "归属门店", "所属门店", "門市", "門店",
        "分店", "所屬門市", "開卡門市",
    ),
    "language": ("language", "lang", "语言", "語言"),
    POINTS: (
        "points", "point", "balance", "pointsbalance", "currentpoints", "积分", "当前积分", "剩余积分", "可用积分", "积分余额", "積分",
        "點數", "目前積分", "剩餘積分", "可用積分", "積分餘額", "剩餘點數",
    ),
}  # fmt: skip
_FIELD_OF_NAME: Final = {name: field for field, names in _NAMES.items() for name in names}
_SIGNS: Final = re.compile(r"[\W_]+")


def offered_fields() -> dict[str, Promise]:
    """Return what a column can be read as; opening balances only where a floor has points."""
    return {field: label for field, label in FIELDS.items() if field != POINTS or opening_balances() is not None}


def guess(columns: Sequence[str]) -> dict[str, str]:
    """Return what columns mean by their names: field by column, each field at most once."""
    guessed: dict[str, str] = {}
    for column in columns:
        plain = _SIGNS.sub("", unicodedata.normalize("NFKC", column).casefold())
        field = _FIELD_OF_NAME.get(plain)
        if field is not None and field in offered_fields() and field not in guessed.values():
            guessed[column] = field
    return guessed


def checked_fields(columns: Sequence[str], fields: Mapping[str, str]) -> dict[str, str]:
    """Return the mapping without columns that are not read. Raises `FieldMappedTwice`, `NothingNamesMembers`."""
    offered = offered_fields()
    chosen = {column: fields[column] for column in columns if fields.get(column) in offered}
    for field, label in offered.items():
        same = [column for column, meaning in chosen.items() if meaning == field]
        if len(same) > 1:
            raise FieldMappedTwice(field=label, columns=", ".join(f"“{column}”" for column in same))
    if not any(field in _NAMING for field in chosen.values()):
        raise NothingNamesMembers
    return chosen


def remembered(columns: Sequence[str]) -> ImportMapping | None:
    """Return how the last file with just these columns was mapped, None for a new kind of file."""
    return ImportMapping.objects.filter(columns_sha256=_fingerprint(columns)).first()


def remember(
    *, columns: Sequence[str], fields: Mapping[str, str], choices: Mapping[str, Any], operator_id: int, at: datetime
) -> None:
    """Remember what the columns of such a file mean, in the caller's transaction."""
    known = {"fields": dict(fields), "choices": dict(choices), "operator_id": operator_id, "used_at": at}
    ImportMapping.objects.update_or_create(columns_sha256=_fingerprint(columns), defaults=known)


def _fingerprint(columns: Sequence[str]) -> bytes:
    return hashlib.sha256(json.dumps(sorted(columns), ensure_ascii=False).encode()).digest()
