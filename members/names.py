"""Names of people: masked for those who need not know them, and the keys by which staff search them."""

import re
import unicodedata

from pypinyin import lazy_pinyin

# Surnames that are read otherwise than the same character elsewhere.
_SURNAMES = {
    "单": "shan", "單": "shan", "曾": "zeng", "解": "xie", "仇": "qiu", "区": "ou", "區": "ou", "查": "zha", "朴": "piao",
    "盖": "ge", "蓋": "ge", "缪": "miao", "繆": "miao", "乐": "yue", "樂": "yue", "覃": "qin", "员": "yun", "尉": "wei",
    "召": "shao", "种": "chong", "重": "chong", "纪": "ji", "紀": "ji", "黑": "he", "秘": "bi", "折": "she", "翟": "zhai",
}  # fmt: skip
_TWO_CHARACTER_SURNAMES = {
    "尉迟": ("yu", "chi"),
    "尉遲": ("yu", "chi"),
    "万俟": ("mo", "qi"),
    "澹台": ("tan", "tai"),
    "长孙": ("zhang", "sun"),
}
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_NOT_A_KEY = re.compile(r"[^a-z0-9]")
PINYIN_LENGTH = 120
INITIALS_LENGTH = 20


def clean_name(name: str) -> str:
    """Return a name without control characters and with single spaces; empty stays empty."""
    visible = "".join(
        " " if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") else character for character in name
    )
    return " ".join(visible.split())


def mask_name(name: str) -> str:
    """Return a name that its owner recognises and others do not: 张*丰, 张*, 欧**娜, J*** S***."""
    if not name:
        return ""
    if not _HAN.search(name):
        return " ".join(f"{word[0]}***" for word in name.split())
    letters = "".join(name.split())
    if len(letters) <= 2:
        return f"{letters[0]}*"
    return f"{letters[0]}{'*' * (len(letters) - 2)}{letters[-1]}"


def search_keys(name: str) -> tuple[str, str]:
    """Return (pinyin, initials) of a name, lower-case and without spaces: 张小丰 → (zhangxiaofeng, zxf).

    Latin names give (johnsmith, js). Both are empty for an empty name.
    """
    syllables = [key for key in (_NOT_A_KEY.sub("", _plain(part)) for part in _syllables(name)) if key]
    return "".join(syllables)[:PINYIN_LENGTH], "".join(part[0] for part in syllables)[:INITIALS_LENGTH]


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


def _syllables(name: str) -> list[str]:
    parts: list[str] = []
    for word in name.split():
        if not _HAN.search(word):
            parts.append(word)
        elif not parts and word[:2] in _TWO_CHARACTER_SURNAMES:
            parts.extend([*_TWO_CHARACTER_SURNAMES[word[:2]], *_pinyin(word[2:])])
        elif not parts and word[0] in _SURNAMES:
            parts.extend([_SURNAMES[word[0]], *_pinyin(word[1:])])
        else:
            parts.extend(_pinyin(word))
    return parts


def _pinyin(text: str) -> list[str]:
    return lazy_pinyin(text) if text else []
