"""Pictures that staff upload, made anew: what members are sent is never the bytes that came in."""

import warnings
from io import BytesIO
from typing import Final

from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

from loyalty.refusals import LoyaltyRefusal

#: Length of a side of what is made, and the least of what is taken, in pixels; the most that is taken, in bytes and pixels.
SIDE: Final = 192
MOST_BYTES: Final = 1_000_000
_LEAST_SIDE: Final = 64
_MOST_PIXELS: Final = 16_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP")


class PictureTooLarge(LoyaltyRefusal):
    """The file is larger than such a picture needs to be."""

    code = "picture_too_large"
    text = _("The picture has more than %(limit)s MB. Please choose a smaller one.")
    status = 422


class PictureNotUnderstood(LoyaltyRefusal):
    """It is none of the kinds of picture that are taken, or damaged."""

    code = "picture_not_understood"
    text = _("This file can not be read as a picture. Please choose a PNG, JPEG or WebP.")
    status = 422


class PictureOfWrongSize(LoyaltyRefusal):
    """Too few pixels to look well, or so many that drawing it would cost too much."""

    code = "picture_of_wrong_size"
    text = _(
        "The picture has %(width)s × %(height)s pixels. Each side needs %(least)s at least; %(most)s million in all are the most."
    )
    status = 422


def badge_picture(content: bytes) -> bytes:
    """Return an uploaded picture as a square PNG of SIDE pixels, fitted in with its transparency, without all else it carried.

    Raises PictureTooLarge, PictureNotUnderstood, PictureOfWrongSize, before anything large is drawn.
    """
    upright = opened_picture(content, most_bytes=MOST_BYTES, least_side=_LEAST_SIDE)
    drawn = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    fitted = ImageOps.contain(upright, (SIDE, SIDE), Image.Resampling.LANCZOS)
    drawn.paste(fitted, ((SIDE - fitted.width) // 2, (SIDE - fitted.height) // 2))
    written = BytesIO()
    drawn.save(written, "PNG", optimize=True)
    return written.getvalue()


def opened_picture(content: bytes, *, most_bytes: int, least_side: int) -> Image.Image:
    """Return an uploaded picture as pixels with transparency, the right way up, without all else it carried.

    Raises PictureTooLarge, PictureNotUnderstood, PictureOfWrongSize, before anything large is drawn.
    """
    if len(content) > most_bytes:
        raise PictureTooLarge(limit=most_bytes // 1_000_000)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=_FORMATS) as opened:
                _check_size(opened, least_side)
                return ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureNotUnderstood from error


def _check_size(opened: Image.Image, least_side: int) -> None:
    width, height = opened.size
    if min(width, height) < least_side or width * height > _MOST_PIXELS:
        raise PictureOfWrongSize(width=width, height=height, least=least_side, most=_MOST_PIXELS // 1_000_000)
