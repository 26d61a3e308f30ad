"""The facts of where members come from, and of the details that staff defined. What is sensitive is no fact."""

from collections.abc import Collection
from typing import Final

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from members.facts import Args, Fact, FactParam, register_fact
from members.models import AttributeChoice, Identity, MemberAttribute, RecruitingSource, Region

_HERE: Final = frozenset({"members"})
#: Between the code of a detail and that of an answer; neither has one.
_BETWEEN = "-"

_IN_REGION = """
    EXISTS (
        WITH RECURSIVE above AS (
            SELECT r.id, r.code, r.parent_id FROM members_region r
            WHERE r.id = coalesce(m.home_region_id, (SELECT s.region_id FROM members_store s WHERE s.id = m.home_store_id))
            UNION
            SELECT r.id, r.code, r.parent_id FROM members_region r JOIN above a ON r.id = a.parent_id
        )
        SELECT 1 FROM above WHERE code = %(region)s
    )
"""
_ANSWERED = """
    EXISTS (
        SELECT 1 FROM members_attributevalue v JOIN members_memberattribute d ON d.id = v.attribute_id
        WHERE v.member_id = m.id AND d.sensitivity = 'ordinary'
            AND d.code = split_part(%(answer)s, '-', 1) AND split_part(%(answer)s, '-', 2) = ANY (v.codes)
    )
"""


_KNOWS = """
    SELECT CASE %(part)s
        WHEN 'name' THEN p.full_name <> '' WHEN 'phone' THEN p.phone IS NOT NULL
        WHEN 'email' THEN p.email IS NOT NULL WHEN 'birthday' THEN p.birthday IS NOT NULL
    END
    FROM members_memberperson p WHERE p.member_id = m.id
"""


def _of_detail(column: str) -> str:
    return f"""
        SELECT v.{column} FROM members_attributevalue v JOIN members_memberattribute d ON d.id = v.attribute_id
        WHERE v.member_id = m.id AND d.sensitivity = 'ordinary' AND d.code = %(detail)s
    """  # noqa: S608 - the columns are named here


def _regions(only: Collection[str] | None) -> dict[str, str]:
    regions = Region.objects.all() if only is None else Region.objects.filter(code__in=only)
    return {region.code: region.name for region in regions}


def _sources(only: Collection[str] | None) -> dict[str, str]:
    sources = RecruitingSource.objects.all() if only is None else RecruitingSource.objects.filter(code__in=only)
    return {source.code: source.name for source in sources}


def _answers(only: Collection[str] | None) -> dict[str, str]:
    choices = AttributeChoice.objects.select_related("attribute").filter(attribute__sensitivity="ordinary")
    if only is not None:
        choices = choices.filter(attribute__code__in={code.partition(_BETWEEN)[0] for code in only})
    labels = {
        f"{choice.attribute.code}{_BETWEEN}{choice.code}": f"{choice.attribute.name}: {choice.name}"
        for choice in choices.order_by("attribute__order", "attribute__code", "order", "code")
    }
    return labels if only is None else {code: label for code, label in labels.items() if code in only}


class _DetailsOf:
    """The details of one type by code, as choices of a parameter."""

    def __init__(self, kind: MemberAttribute.Kind) -> None:
        self.kind = kind

    def __call__(self, only: Collection[str] | None) -> dict[str, str]:
        details = MemberAttribute.objects.filter(kind=self.kind, sensitivity="ordinary")
        return {one.code: one.name for one in (details if only is None else details.filter(code__in=only))}


_PARTS: Final = {"name": _("name"), "phone": _("phone"), "email": _("e-mail"), "birthday": _("birthday")}


def _parts(only: Collection[str] | None) -> dict[str, str]:
    return {code: str(label) for code, label in _PARTS.items() if only is None or code in only}


def _identity_kinds(only: Collection[str] | None) -> dict[str, str]:
    labels = dict(Identity.Kind.choices)
    return {code: str(label) for code, label in labels.items() if only is None or code in only}


def _knows(args: Args) -> str:
    code = str(args["part"])
    return _now("known of the member: %(part)s") % {"part": _parts([code]).get(code, code)}


def _has_identity(args: Args) -> str:
    code = str(args["kind"])
    return _now("has an identity of the kind “%(kind)s”") % {"kind": _identity_kinds([code]).get(code, code)}


def _in_region(args: Args) -> str:
    code = str(args["region"])
    return _now("home region in %(region)s") % {"region": _regions([code]).get(code, code)}


def _answered(args: Args) -> str:
    code = str(args["answer"])
    return _now("has told “%(answer)s”") % {"answer": _answers([code]).get(code, code)}


def _named(args: Args) -> str:
    code = str(args["detail"])
    found = MemberAttribute.objects.filter(code=code).first()
    return found.name if found else code


def register() -> None:
    """Register the facts of profiles. Called once, from `AppConfig.ready()`."""
    kinds = MemberAttribute.Kind
    for fact in (
        Fact(
            "members.in_region",
            _("home region in"),
            "bool",
            _IN_REGION,
            params=(FactParam("region", _("region"), default="", choices=_regions),),
            phrase=_in_region,
            changed_by=_HERE,
        ),
        Fact(
            "members.recruiting_source",
            _("recruiting source"),
            "choice",
            "SELECT s.code FROM members_recruitingsource s WHERE s.id = m.recruiting_source_id",
            choices=_sources,
            changed_by=_HERE,
        ),
        Fact("members.was_invited", _("was invited by a member"), "bool", "m.inviter_id IS NOT NULL", changed_by=_HERE),
        Fact(
            "members.knows",
            _("known of the member"),
            "bool",
            _KNOWS,
            params=(FactParam("part", _("part of the profile"), default="phone", choices=_parts),),
            phrase=_knows,
            changed_by=_HERE,
        ),
        Fact(
            "members.has_identity",
            _("has an identity of a kind"),
            "bool",
            "EXISTS (SELECT 1 FROM members_identity i WHERE i.member_id = m.id AND i.kind = %(kind)s)",
            params=(FactParam("kind", _("kind of identity"), default="wechat_openid", choices=_identity_kinds),),
            phrase=_has_identity,
            changed_by=_HERE,
        ),
        Fact(
            "members.has_card",
            _("has a card in use"),
            "bool",
            "EXISTS (SELECT 1 FROM members_card c WHERE c.member_id = m.id AND c.state = 'in_use')",
            changed_by=_HERE,
        ),
        Fact(
            "members.in_household",
            _("belongs to a household"),
            "bool",
            "EXISTS (SELECT 1 FROM members_householdmember h WHERE h.member_id = m.id AND h.left_at IS NULL)",
            changed_by=_HERE,
        ),
        Fact(
            "members.detail_answer",
            _("has told"),
            "bool",
            _ANSWERED,
            params=(FactParam("answer", _("answer"), default="", choices=_answers),),
            phrase=_answered,
            is_personal=True,
            changed_by=_HERE,
        ),
        Fact(
            "members.detail_number",
            _("a detail with a number"),
            "number",
            _of_detail("number"),
            params=(FactParam("detail", _("detail"), default="", choices=_DetailsOf(kinds.NUMBER)),),
            phrase=_named,
            is_personal=True,
            changed_by=_HERE,
        ),
        Fact(
            "members.detail_date",
            _("a detail with a date"),
            "date",
            _of_detail("date"),
            params=(FactParam("detail", _("detail"), default="", choices=_DetailsOf(kinds.DATE)),),
            phrase=_named,
            is_personal=True,
            changed_by=_HERE,
        ),
        Fact(
            "members.detail_yes",
            _("a detail with yes or no"),
            "bool",
            _of_detail("flag"),
            params=(FactParam("detail", _("detail"), default="", choices=_DetailsOf(kinds.YES_NO)),),
            phrase=_named,
            is_personal=True,
            changed_by=_HERE,
        ),
    ):
        register_fact(fact)
