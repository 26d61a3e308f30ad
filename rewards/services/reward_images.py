"""Pictures of rewards: drawn anew in three sizes, so that what members are sent is never the bytes that came in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from PIL import Image

from loyalty.pictures import opened_picture
from members.identifiers import NotFound
from rewards.models import Reward, RewardImage, RewardPicture
from rewards.refusals import RewardsRefusal

#: Widths of what is made, in pixels; the least side and the most bytes of what is taken.
WIDTHS: Final = {"small": 200, "medium": 600, "large": 1200}
LEAST_SIDE: Final = 200
MOST_BYTES: Final = 8_000_000
MOST_IMAGES: Final = 8
LANGUAGES: Final = ("zh_hans", "zh_hant", "en")
_TALLEST: Final = 2  # times the width: taller ones are cut in the middle
_QUALITY: Final = 82


class TooManyImages(RewardsRefusal):
    """One page shows so many at most."""

    code = "too_many_images"
    text = _("A reward has at most %(most)s pictures. Please take one off first.")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as WebP in its sizes (content, width, height), and its main colour as `#rrggbb`."""

    sizes: Mapping[str, tuple[bytes, int, int]]
    colour: str


def drawn_picture(content: bytes) -> Drawn:
    """Return an uploaded picture in three sizes; a small one is not made larger. Transparent parts become white.

    Raises what `loyalty.pictures.opened_picture` raises.
    """
    upright = opened_picture(content, most_bytes=MOST_BYTES, least_side=LEAST_SIDE)
    plain = Image.new("RGB", upright.size, (255, 255, 255))
    plain.paste(upright, mask=upright.getchannel("A"))
    tallest = plain.width * _TALLEST
    if plain.height > tallest:
        top = (plain.height - tallest) // 2
        plain = plain.crop((0, top, plain.width, top + tallest))
    return Drawn({name: _sized(plain, width) for name, width in WIDTHS.items()}, main_colour(plain))


def main_colour(picture: Image.Image) -> str:
    """Return the colour that most of a picture has, as `#rrggbb`."""
    few = picture.resize((48, 48)).quantize(colors=8)
    counted = few.getcolors() or [(1, 0)]
    index = max(counted, key=lambda entry: entry[0])[1]
    palette = few.getpalette() or [0, 0, 0]
    red, green, blue = palette[3 * int(index) : 3 * int(index) + 3]  # type: ignore[call-overload]
    return f"#{red:02x}{green:02x}{blue:02x}"


@transaction.atomic
def save_reward_picture(
    *, reward_id: int, content: bytes, alt: Mapping[str, str], at: datetime, sort_order: int = 100
) -> RewardImage:
    """Put a picture on the page of a reward and return it. `alt` says what it shows, by column suffix (`zh_hans`, `en` …).

    Raises NotFound, TooManyImages, PictureTooLarge, PictureNotUnderstood, PictureOfWrongSize.
    """
    drawn = drawn_picture(content)
    if Reward.objects.select_for_update(no_key=True).filter(pk=reward_id).first() is None:
        raise NotFound
    if RewardImage.objects.filter(reward=reward_id).count() >= MOST_IMAGES:
        raise TooManyImages(most=MOST_IMAGES)
    kept = {name: _keep(*size, at) for name, size in drawn.sizes.items()}
    texts = {f"alt_{language}": alt.get(language, "")[:120] or None for language in LANGUAGES}
    return RewardImage.objects.create(
        reward_id=reward_id, colour=drawn.colour, sort_order=sort_order, small_id=kept["small"], medium_id=kept["medium"],
        large_id=kept["large"], **texts,
    )  # fmt: skip


def _sized(picture: Image.Image, width: int) -> tuple[bytes, int, int]:
    wide = min(width, picture.width)
    high = max(1, round(picture.height * wide / picture.width))
    written = BytesIO()
    picture.resize((wide, high), Image.Resampling.LANCZOS).save(written, "WEBP", quality=_QUALITY)
    return written.getvalue(), wide, high


def _keep(content: bytes, width: int, height: int, at: datetime) -> str:
    """Keep one size and return its digest; the same picture again is the same row."""
    digest = hashlib.sha256(content).hexdigest()
    row = RewardPicture(digest=digest, content=content, width=width, height=height, made_at=at)
    RewardPicture.objects.bulk_create([row], ignore_conflicts=True)
    return digest
