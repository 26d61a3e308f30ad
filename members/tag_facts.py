"""What conditions may ask about a member's tags."""

from collections.abc import Collection

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.facts import Args, Fact, FactParam, labels, register_fact
from members.models import Tag

# By hand, and by a rule: the stays in the segment that is the tag's rule.
_HAS_TAG = """
    EXISTS (
        SELECT 1 FROM members_membertag h JOIN members_tag g ON g.id = h.tag_id
        WHERE g.code = %(tag)s AND h.member_id = m.id AND h.since_at <= %(at)s
            AND (h.ended_at IS NULL OR h.ended_at > %(at)s) AND (h.expires_at IS NULL OR h.expires_at > %(at)s)
    ) OR EXISTS (
        SELECT 1 FROM members_segmentspan s JOIN members_tag g ON g.rule_id = s.segment_id
        WHERE g.code = %(tag)s AND s.member_id = m.id AND s.entered_at <= %(at)s
            AND (s.left_at IS NULL OR s.left_at > %(at)s)
    )
"""
_NEXT_END = """
    SELECT min(h.expires_at) FROM members_membertag h JOIN members_tag g ON g.id = h.tag_id
    WHERE g.code = %(tag)s AND h.member_id = m.id AND h.ended_at IS NULL AND h.expires_at > %(at)s
"""
HAS_TAG = "members.has_tag"


def tag_names(only: Collection[str] | None) -> dict[str, str]:
    """Return the names of tags by code: of those asked for, or of all that are in use."""
    tags = Tag.objects.filter(is_on=True) if only is None else Tag.objects.filter(code__in=only)
    return {tag.code: tag.name for tag in tags}


def _tagged(args: Args) -> str:
    code = str(args["tag"])
    return _("has the tag “%(tag)s”") % {"tag": labels(tag_names, [code]).get(code, code)}


def register() -> None:
    """Register the facts of tags. Called once, from `AppConfig.ready()`."""
    register_fact(
        Fact(
            HAS_TAG,
            gettext_lazy("has the tag"),
            "bool",
            _HAS_TAG,
            params=(FactParam("tag", gettext_lazy("tag"), default="", choices=tag_names),),
            phrase=_tagged,
            changed_by=frozenset({"members.tag_added.v1", "members.tag_removed.v1"}),
            next_change=_NEXT_END,
        )
    )
