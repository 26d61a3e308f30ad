"""Pictures of the demo's rewards, drawn: plain shapes on a quiet ground, twice as large as kept so that edges are smooth."""

from collections.abc import Callable
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

SIDE: Final = 480
_BROWN, _CREAM, _INK, _WHITE = "#7a4f35", "#f6ead9", "#3d3229", "#fffdf8"
Pen = ImageDraw.ImageDraw


def picture(name: str) -> bytes:
    """Return a picture as PNG: one of PICTURES."""
    ground, draw = _DRAWN[name]
    image = Image.new("RGB", (1000, 1000), ground)
    pen = ImageDraw.Draw(image)
    pen.ellipse((190, 835, 810, 905), fill=_shade(ground))
    draw(pen)
    kept = BytesIO()
    image.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(kept, "PNG")
    return kept.getvalue()


def _shade(ground: str) -> tuple[int, int, int]:
    """Return a ground a little darker, for what stands on it."""
    red, green, blue = (int(ground[place : place + 2], 16) * 9 // 10 for place in (1, 3, 5))
    return red, green, blue


def _cup(pen: Pen) -> None:
    pen.ellipse((640, 430, 850, 660), outline=_WHITE, width=42)
    pen.rounded_rectangle((230, 370, 720, 860), 150, fill=_WHITE)
    pen.rectangle((230, 370, 720, 560), fill=_WHITE)
    pen.ellipse((230, 310, 720, 430), fill=_BROWN, outline=_WHITE, width=22)
    for left in (350, 470, 590):
        pen.arc((left - 40, 110, left + 40, 270), 90, 270, fill=_WHITE, width=18)


def _croissant(pen: Pen) -> None:
    pen.pieslice((140, 300, 860, 1020), 180, 360, fill="#c98a3f")
    pen.pieslice((330, 490, 670, 830), 180, 360, fill="#efe3cf")
    for place in range(5):
        left = 210 + 130 * place
        pen.line((left, 620, 430 + 35 * place, 350), fill="#a86d2b", width=16)


def _tag(pen: Pen) -> None:
    pen.polygon([(210, 330), (640, 330), (840, 560), (640, 790), (210, 790)], fill="#c8553d")
    pen.ellipse((650, 520, 730, 600), fill=_CREAM)
    pen.line((320, 700, 520, 420), fill=_WHITE, width=34)
    pen.ellipse((290, 430, 390, 530), outline=_WHITE, width=26)
    pen.ellipse((450, 590, 550, 690), outline=_WHITE, width=26)


def _bag(pen: Pen) -> None:
    pen.arc((340, 130, 660, 640), 180, 360, fill=_INK, width=26)
    pen.polygon([(230, 380), (770, 380), (820, 870), (180, 870)], fill=_CREAM)
    for place in range(5):  # an ear of wheat
        pen.ellipse((440, 480 + 55 * place, 500, 550 + 55 * place), fill="#d8a441")
        pen.ellipse((500, 480 + 55 * place, 560, 550 + 55 * place), fill="#d8a441")
    pen.line((500, 500, 500, 840), fill="#b98428", width=12)


def _kettle(pen: Pen) -> None:
    pen.line((690, 760, 800, 560, 900, 500), fill=_INK, width=34, joint="curve")
    pen.arc((130, 420, 430, 760), 90, 270, fill=_INK, width=34)
    pen.polygon([(330, 400), (640, 400), (730, 870), (240, 870)], fill="#4c5b61")
    pen.rounded_rectangle((320, 355, 650, 410), 20, fill=_INK)
    pen.ellipse((455, 290, 515, 350), fill=_INK)


def _latte_art(pen: Pen) -> None:
    pen.ellipse((150, 200, 850, 900), fill=_WHITE)
    pen.ellipse((215, 265, 785, 835), fill="#a9714b")
    for place in range(3):
        edge = 55 * place
        pen.ellipse((310 + edge, 330 + edge, 690 - edge, 710 - edge), outline="#f3dcc2", width=26)
    pen.polygon([(420, 680), (580, 680), (500, 800)], fill="#f3dcc2")


def _ticket(pen: Pen) -> None:
    pen.rounded_rectangle((130, 330, 870, 780), 40, fill=_WHITE)
    for top in (300, 740):
        pen.ellipse((600, top, 680, top + 80), fill="#cfd8c4")
    for top in range(400, 740, 60):
        pen.line((640, top, 640, top + 30), fill="#cfd8c4", width=10)
    for top, right in ((430, 540), (520, 480), (610, 520)):
        pen.line((210, top, right, top), fill="#8a9a78", width=26)
    pen.ellipse((700, 490, 800, 590), fill="#c98a3f")


def _screen(pen: Pen) -> None:
    pen.rounded_rectangle((150, 260, 850, 760), 48, fill=_INK)
    pen.rounded_rectangle((190, 300, 810, 720), 24, fill="#5f7f95")
    pen.polygon([(430, 400), (430, 620), (620, 510)], fill=_WHITE)
    pen.rectangle((430, 760, 570, 850), fill=_INK)


def _heart(pen: Pen) -> None:
    pen.ellipse((210, 270, 520, 580), fill="#c8553d")
    pen.ellipse((480, 270, 790, 580), fill="#c8553d")
    pen.polygon([(228, 490), (772, 490), (500, 850)], fill="#c8553d")


def _plane(pen: Pen) -> None:
    pen.polygon([(120, 520), (880, 220), (600, 840), (470, 640)], fill=_WHITE)
    pen.polygon([(470, 640), (880, 220), (520, 760)], fill="#c4d3de")


_DRAWN: Final[dict[str, tuple[str, Callable[[Pen], None]]]] = {
    "cup": ("#d9b99b", _cup),
    "croissant": ("#efe3cf", _croissant),
    "tag": ("#f0d7ce", _tag),
    "bag": ("#b9c7ae", _bag),
    "kettle": ("#dcd6cb", _kettle),
    "latte_art": ("#c7a98e", _latte_art),
    "ticket": ("#cfd8c4", _ticket),
    "screen": ("#cbd6de", _screen),
    "heart": ("#f3dfd4", _heart),
    "plane": ("#a9bfd0", _plane),
}
PICTURES: Final = tuple(_DRAWN)
