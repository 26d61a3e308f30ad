"""The published rules to everybody: the page by parts, and what changed from version to version."""

from datetime import timedelta
from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from loyalty.api.serializers import LadderQuery
from loyalty.models import PublishedRules
from loyalty.periods import day_bounds
from loyalty.rules_queries import holds_until, notice_sentences, notices, page_in, rules_on
from members.api.base import ApiView, cacheable
from members.api.fields import Instant
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import Public
from members.api.queries import query_values
from members.queries import programme

_CACHE_SECONDS = 300
_RESOLUTION = timedelta(microseconds=1)


class RuleLineSerializer(serializers.Serializer):
    """One sentence of the rules."""

    key = serializers.CharField(help_text="The same from version to version.")
    sentence = serializers.CharField(source="words")


class RuleBlockSerializer(serializers.Serializer):
    """Sentences about one thing that has a name, such as a tier."""

    key = serializers.CharField(help_text="Of a tier its code, of points the code of their currency.")
    title = serializers.CharField()
    colour = serializers.CharField(help_text="For badges, like #c9a227; may be empty.")
    lines = RuleLineSerializer(many=True)


class RuleSectionSerializer(serializers.Serializer):
    """A part of the rules."""

    code = serializers.CharField()
    title = serializers.CharField()
    lines = RuleLineSerializer(many=True)
    blocks = RuleBlockSerializer(many=True)


class RulesNoticeSerializer(serializers.Serializer):
    """What a version changes."""

    version = serializers.IntegerField()
    valid_from = Instant(help_text="From when it holds.")
    published_at = Instant(help_text="Since when it is known.")
    replaces = serializers.IntegerField(
        allow_null=True, help_text="The announced version in whose place this one comes; null: none."
    )
    changes = serializers.ListField(
        child=serializers.CharField(), help_text="What is different from the version before, in sentences."
    )


class RulesSerializer(RulesNoticeSerializer):
    """The rules of the programme as published for a moment."""

    valid_to = Instant(allow_null=True, help_text="Until when, as far as is known; null: no end is known.")
    title = serializers.CharField(help_text="The name of the programme.")
    sections = RuleSectionSerializer(many=True)


class RulesView(ApiView):
    """The rules of the programme, as everybody may read them."""

    is_cacheable = True
    authentication_classes = ()
    permission_classes = (Public,)

    @extend_schema(
        operation_id="get_rules",
        summary="The published rules",
        description="Tiers, periods, reviews, what counts, and what points do, in sentences, as published: for today, or for "
        "the end of any day, also a future one. Without a version for that day: `not_found`.",
        tags=["Program"],
        parameters=[LadderQuery],
        responses=RulesSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        day = query_values(LadderQuery, request).get("on")
        moment = timezone.now() if day is None else day_bounds(day, programme().tz)[1] - _RESOLUTION
        version = rules_on(moment)
        if version is None:
            raise Http404
        page = page_in(version)
        rules = {"valid_to": holds_until(version), "title": page.title, "sections": page.sections}
        return cacheable(request, RulesSerializer(_notice(version) | rules).data, seconds=_CACHE_SECONDS)


class RulesChangesView(ApiView):
    """The change notices."""

    is_cacheable = True
    authentication_classes = ()
    permission_classes = (Public,)

    @extend_schema(
        operation_id="list_rules_changes",
        summary="What changed in the rules",
        description="A notice for each version after the first, newest first: from when it holds, and what is different.",
        tags=["Program"],
        parameters=[*CURSOR_PARAMETERS],
        responses=page_serializer(RulesNoticeSerializer, "RulesNoticePageSerializer"),
    )
    def get(self, request: Request) -> HttpResponseBase:
        rows = notices().select_related("replaces").defer("pages", "replaces__pages", "replaces__changes")
        page = page_of(rows, request, by="number")
        told = RulesNoticeSerializer([_notice(version) for version in page.items], many=True).data
        return cacheable(request, page.body(told), seconds=_CACHE_SECONDS)


def _notice(version: PublishedRules) -> dict[str, Any]:
    return {
        "version": version.number,
        "valid_from": version.valid_from,
        "published_at": version.published_at,
        "replaces": version.replaces.number if version.replaces else None,
        "changes": notice_sentences(version),
    }
