"""The pictures of tiers: no sign-in, the same for everybody, for ever under the same address."""

import re
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from loyalty.models import TierImage

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@require_safe
def tier_image(request: HttpRequest, digest: str) -> HttpResponseBase:
    """A picture by its digest. Raises Http404 for none."""
    content = (
        TierImage.objects.filter(pk=digest).values_list("content", flat=True).first()
        if _DIGEST.fullmatch(digest)
        else None
    )
    if content is None:
        raise Http404
    etag = f'"{digest[:32]}"'
    response = HttpResponse(bytes(content), content_type="image/png")
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # Loaded on its own, it is a picture and nothing else.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer: HttpResponseBase = get_conditional_response(request, etag=etag, response=response) or response
    return answer
