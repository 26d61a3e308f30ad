"""The pictures of rewards: no sign-in, the same for everybody, for ever under the same address."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from config.tier_images import picture_answer
from rewards.models import RewardPicture


@require_safe
def reward_picture(request: HttpRequest, digest: str) -> HttpResponseBase:
    """A size of a picture by its digest. Raises Http404 for none."""
    return picture_answer(request, RewardPicture, digest, "image/webp")
