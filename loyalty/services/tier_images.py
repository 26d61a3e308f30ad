"""Keeping the pictures of tiers."""

import hashlib
from datetime import datetime

from django.db import transaction

from loyalty.models import TierImage


@transaction.atomic
def keep_image(*, content: bytes, at: datetime) -> TierImage:
    """Keep a picture made by `loyalty.pictures` and return its row; the same picture again is the same row."""
    digest = hashlib.sha256(content).hexdigest()
    TierImage.objects.bulk_create([TierImage(digest=digest, content=content, made_at=at)], ignore_conflicts=True)
    return TierImage.objects.defer("content").get(pk=digest)
