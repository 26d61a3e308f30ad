"""Pictures of tiers: what is taken, what is made of it, and who sees it."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from loyalty.admin.badges import tier_badge
from loyalty.models import Tier, TierImage
from loyalty.pictures import (
    MOST_BYTES,
    SIDE,
    PictureNotUnderstood,
    PictureOfWrongSize,
    PictureTooLarge,
    badge_picture,
)
from loyalty.queries import forget_ladder_book
from loyalty.services.tier_images import keep_image
from tests.factories.portal import signed_in


def drawn(kind: str = "PNG", size: tuple[int, int] = (300, 150), mode: str = "RGB", **how: Any) -> bytes:
    """Return a picture of one red."""
    file = BytesIO()
    Image.new(mode, size, (200, 30, 30) if mode == "RGB" else 0).save(file, kind, **how)
    return file.getvalue()


def read(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content), formats=("PNG",))


class TestWhatIsMade:
    """What is made of an upload …"""

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_is_a_square_with_the_picture_in_the_middle(self, kind: str) -> None:
        made = read(badge_picture(drawn(kind)))
        assert (made.size, made.mode) == ((SIDE, SIDE), "RGBA")
        assert made.getpixel((SIDE // 2, 10)) == (0, 0, 0, 0)
        red, _green, _blue, alpha = made.getpixel((SIDE // 2, SIDE // 2))  # type: ignore[misc]
        assert red > 180
        assert alpha == 255

    def test_carries_nothing_else_of_what_came_in(self) -> None:
        text = PngInfo()
        text.add_text("Comment", "<script>alert(1)</script>")
        made = badge_picture(drawn(pnginfo=text) + b"<script>alert(2)</script>")
        assert b"script" not in made
        assert "Comment" not in read(made).info

    def test_stands_upright_as_the_camera_meant_it(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by a quarter
        made = read(badge_picture(drawn("JPEG", size=(300, 150), exif=exif)))
        assert made.getpixel((10, SIDE // 2)) == (0, 0, 0, 0)

    @pytest.mark.parametrize(
        "content", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", drawn("GIF"), drawn("BMP")]
    )
    def test_is_refused_for_other_kinds_of_file(self, content: bytes) -> None:
        with pytest.raises(PictureNotUnderstood):
            badge_picture(content)

    def test_is_refused_for_what_is_cut_off(self) -> None:
        with pytest.raises(PictureNotUnderstood):
            badge_picture(drawn("JPEG", size=(600, 600))[:500])

    def test_is_refused_for_what_is_too_large_too_small_or_a_bomb(self) -> None:
        with pytest.raises(PictureTooLarge):
            badge_picture(b"\0" * (MOST_BYTES + 1))
        with pytest.raises(PictureOfWrongSize) as small:
            badge_picture(drawn(size=(63, 400)))
        with override("en"):
            assert "63 × 400 pixels" in small.value.sentence()
        for size in ((5_000, 4_000), (14_000, 13_000)):  # many pixels in few bytes
            with pytest.raises((PictureOfWrongSize, PictureNotUnderstood)):
                badge_picture(drawn(size=size, mode="1"))


@pytest.mark.django_db
class TestTheTier:
    """The page of a tier …"""

    @pytest.fixture(autouse=True)
    def _fresh(self) -> Any:
        yield
        forget_ladder_book()

    def send(self, client: Client, **fields: Any) -> Any:
        gold = Tier.objects.get(code="gold")
        names = {f"name_{code}": "Gold" for code in ("zh_hans", "zh_hant", "en")}
        return client.post(
            reverse("admin:loyalty_tier_change", args=[gold.pk]), {**names, "colour": "#c9a227", **fields}
        )

    def test_takes_a_picture_shows_it_and_takes_it_away(self) -> None:
        client = signed_in("administrator")
        answer = self.send(client, picture=SimpleUploadedFile("gold.png", drawn()))
        assert answer.status_code == 302, answer.context["adminform"].errors
        gold = Tier.objects.get(code="gold")
        address = reverse("tier_image", args=[gold.image_id])
        assert f'src="{address}"' in tier_badge(gold)
        assert address in client.get(reverse("admin:loyalty_tier_change", args=[gold.pk])).text
        assert address in client.get(reverse("admin:loyalty_tier_changelist")).text
        self.send(client)
        assert Tier.objects.get(code="gold").image_id == gold.image_id  # nothing chosen: it stays
        self.send(client, no_picture="on")
        assert Tier.objects.get(code="gold").image_id is None
        history = Tier.events.rel.related_model.objects.filter(code="gold").order_by("pgh_id")  # type: ignore[attr-defined]
        assert [row.image_id for row in history][-2:] == [gold.image_id, None]

    def test_says_what_is_wrong_with_a_picture_and_keeps_none(self) -> None:
        answer = self.send(signed_in("administrator"), picture=SimpleUploadedFile("gold.png", b"<html>"))
        assert "can not be read as a picture" in str(answer.context["adminform"].errors)
        answer = self.send(signed_in("administrator"), picture=SimpleUploadedFile("gold.png", b"0" * (MOST_BYTES + 1)))
        assert "more than 1 MB" in str(answer.context["adminform"].errors)
        assert not TierImage.objects.exists()

    def test_is_not_for_those_who_may_only_look(self) -> None:
        assert self.send(signed_in("service"), picture=SimpleUploadedFile("gold.png", drawn())).status_code == 403


@pytest.mark.django_db
class TestThePicture:
    """A picture that is kept …"""

    @pytest.fixture
    def kept(self) -> TierImage:
        return keep_image(content=badge_picture(drawn()), at=timezone.now())

    def test_is_for_everybody_and_for_ever(self, kept: TierImage) -> None:
        answer = Client().get(reverse("tier_image", args=[kept.pk]))
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert read(answer.content).size == (SIDE, SIDE)
        assert "immutable" in answer["Cache-Control"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        again = Client().get(reverse("tier_image", args=[kept.pk]), headers={"if-none-match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

    @pytest.mark.parametrize("digest", ["x", "0" * 64, "../settings"[3:]])
    def test_has_no_neighbours(self, kept: TierImage, digest: str) -> None:
        assert Client().get(reverse("tier_image", args=[digest])).status_code == 404

    def test_is_kept_once_and_never_changed(self, kept: TierImage) -> None:
        assert keep_image(content=badge_picture(drawn()), at=timezone.now()).pk == kept.pk
        with pytest.raises(DatabaseError, match="tierimage"), transaction.atomic():
            TierImage.objects.update(content=b"")

    def test_is_named_by_the_api(self, kept: TierImage) -> None:
        Tier.objects.filter(code="gold").update(image=kept)
        forget_ladder_book()
        rows = Client().get(reverse("api:tiers")).json()["tiers"]
        assert {row["code"]: row["image_path"] for row in rows} == {
            "member": None, "silver": None, "gold": reverse("tier_image", args=[kept.pk]), "diamond": None,
        }  # fmt: skip
        forget_ladder_book()
