"""The pictures of tiers: no sign-in, the same for everybody, for ever under the same address."""

import re
from typing import Final

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from loyalty.models import TierImage

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@require_safe
def tier_image(request: HttpRequest, digest: str) -> HttpResponseBase:
    """A picture by its digest. Raises Http404 for none."""
    return picture_answer(request, TierImage, digest, "image/png")


def picture_answer(request: HttpRequest, model: type[Model], digest: str, kind: str) -> HttpResponseBase:
    """Return the content of a row named by its digest, to be kept for ever by whoever gets it. Raises Http404 for none."""
    rows = model._default_manager.filter(pk=digest).values_list("content", flat=True)
    content = rows.first() if _DIGEST.fullmatch(digest) else None
    if content is None:
        raise Http404
    etag = f'"{digest[:32]}"'
    response = HttpResponse(bytes(content), content_type=kind)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # Loaded on its own, it is a picture and nothing else.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer: HttpResponseBase = get_conditional_response(request, etag=etag, response=response) or response
    return answer
