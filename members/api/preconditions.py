"""Two writers of one profile: an ETag that names its version, and `If-Match` on what changes it."""

import hashlib
import json
import re
from typing import Any, Final

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from members.refusals import MembersRefusal
from members.services.profile import ProfileChanged

_ETAG = re.compile(r'^"([0-9]{1,10})-[0-9a-f]{16}"$')

IF_MATCH: Final = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="The ETag of the answer that was read."
)
IF_MATCH_WISHED: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the answer that was read, so that no change is lost.",
)


class PreconditionRequired(MembersRefusal):
    """The change does not say which version it is made from."""

    code = "precondition_required"
    text = _("Send the ETag of what you have read as If-Match.")
    status = 428


def with_etag(data: Any, version: int, *, status: int = 200) -> Response:
    """Return a personal answer with a strong ETag of its content and language, which names the version."""
    content = json.dumps([get_language(), data], sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    return Response(data, status=status, headers={"ETag": f'"{version}-{digest}"'})


def version_asked(request: Request, *, is_required: bool) -> int | None:
    """Return the version that the caller has read; None when any will do.

    Raises `PreconditionRequired`, and `ProfileChanged` for an ETag that was not given out here.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        if is_required:
            raise PreconditionRequired
        return None
    if header == "*":
        return None
    found = [_ETAG.match(tag.strip()) for tag in header.split(",")]
    versions = [int(tag[1]) for tag in found if tag]
    if not versions:
        raise ProfileChanged
    return max(versions)
