"""Everything that the pages and the API say has a Chinese wording of its own, in both scripts, and in the agreed words.

The strings are read from the source with Python alone, so that nothing is left out where GNU gettext is missing.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polib
import pytest
from django.apps import apps
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation.template import templatize

from config.translations import CATALOGUES, compile_catalogues

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("members", "loyalty", "rewards", "campaigns", "analytics", "config", "templates")
HANS, HANT = "zh_Hans", "zh_Hant"
LANGUAGES = {HANS: "zh-hans", HANT: "zh-hant"}

# What each function of django.utils.translation takes, in order.
CALLS = {
    "gettext": ("msgid",),
    "gettext_noop": ("msgid",),
    "ngettext": ("msgid", "plural"),
    "pgettext": ("context", "msgid"),
    "npgettext": ("context", "msgid", "plural"),
}
CALLS |= {f"{name}_lazy": arguments for name, arguments in CALLS.items() if name != "gettext_noop"}
IN_TEMPLATES = re.compile(
    r"""\b(?P<call>_|gettext|ngettext|pgettext|npgettext)
        \((?P<arguments>(?:\s*u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*,?)+)""",
    re.VERBOSE,
)

# (context, msgid, plural)
type Message = tuple[str, str, str]

CJK = re.compile(r"[\u3400-\u9fff]")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*(?::\w+)?\}")
TAG = re.compile(r"</?\w[^>]*>")
# Each language is named in itself.
LANGUAGE_NAMES = {"简体中文", "繁體中文", "English"}

# Mainland words that are slips in zh-Hant.
SLIPS = (
    "短信", "消息", "信息", "導入", "導出", "搜索", "默認", "保存", "登錄", "賬", "設置", "支持", "二維碼", "小程序", "營銷", "質量",
    "用戶", "視頻", "鏈接", "門店", "會員計劃", "模板", "渠道", "文件", "數據庫", "服務器", "程序", "軟件", "打印", "郵箱", "字符", "字節",
    "字段", "網絡", "激活", "添加", "創建", "刷新", "加載", "粘貼", "單元格", "工作簿", "表頭", "哈希", "令牌", "密鑰", "接口", "緩存",
    "考核期", "定級", "點擊", "快捷鍵", "全局", "應用篩選", "運行", "隊列", "列表", "屏幕", "菜單", "界面", "券模板", "優惠卷", "身份",
)  # fmt: skip
# Characters of both scripts, which in the words of a portal are nearly always simplified where they stand in zh-Hant.
SIMPLIFIED_IN_BIG5 = "后里范余几于采云周"

# Spot checks of the glossary: what a member of staff sees most.
GLOSSARY = {
    "loyalty": ("会员等级", "會員等級"),
    "programme": ("会员计划", "會員計畫"),
    "member": ("会员", "會員"),
    "member number": ("会员号", "會員編號"),
    "Freeze": ("冻结", "凍結"),
    "Unfreeze": ("解冻", "解除凍結"),
    "store": ("门店", "門市"),
    "operator": ("操作人", "操作人員"),
    "tier": ("等级", "等級"),
    "tier credits": ("成长值", "成長值"),
    "Upgrades": ("升级", "升級"),
    "Downgrades": ("降级", "降級"),
    "Tier reviews": ("定级", "等級評定"),
    "qualifying period (months)": ("考核期（月）", "計算期間（月）"),
    "tier validity (months)": ("等级有效期（月）", "等級效期（月）"),
    "soft landing": ("逐级降级", "逐級降級"),
    "points": ("积分", "積分"),
    "Points entries": ("积分流水", "積分明細"),
    "available points": ("可用积分", "可用積分"),
    "pending points": ("待生效积分", "待生效積分"),
    "held points": ("预扣积分", "預扣積分"),
    "arrears": ("积分欠款", "積分欠款"),
    "points multiplier": ("积分倍率", "積分倍率"),
    "earn rule": ("积分规则", "積分規則"),
    "lot": ("批次", "批次"),
    "reward": ("兑换品", "兌換品"),
    "redemption": ("兑换单", "兌換單"),
    "voucher": ("优惠券", "優惠券"),
    "voucher template": ("券模板", "優惠券範本"),
    "exchange voucher": ("兑换券", "兌換券"),
    "issued at": ("发放时间", "發放時間"),
    "used": ("已核销", "已核銷"),
    "campaigns": ("营销活动", "行銷活動"),
    "message": ("消息", "訊息"),
    "mini-program": ("小程序", "小程式"),
    "Settings": ("设置", "設定"),
    "marketing": ("营销", "行銷"),
    "import": ("导入", "匯入"),
    "Save the profile": ("保存资料", "儲存資料"),
    "Undo": ("撤销", "復原"),
    "Type to search": ("输入以搜索", "輸入以搜尋"),
    "Filters": ("筛选", "篩選"),
    "Log out": ("退出登录", "登出"),
}


def messages_of_python(source: str) -> Iterator[Message]:
    """Return the strings that a module marks for translation, under whatever names it imports the functions."""
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name: CALLS[alias.name]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if alias.name in CALLS
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            wanted = names[node.func.id]
            given = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            if len(given) < len(wanted):
                raise AssertionError(f"line {node.lineno}: only literal strings can be translated")
            yield as_message(dict(zip(wanted, given, strict=False)))


def messages_of_template(source: str) -> Iterator[Message]:
    """Return the strings that a template marks for translation."""
    for call in IN_TEMPLATES.finditer(templatize(source)):
        given = ast.literal_eval(f"[{call['arguments'].strip().rstrip(',')}]")
        yield as_message(dict(zip(CALLS[call["call"] if call["call"] != "_" else "gettext"], given, strict=False)))


def as_message(given: dict[str, str]) -> Message:
    return given.get("context", ""), given["msgid"], given.get("plural", "")


def messages_under(folder: Path, *, without: str = "migrations") -> set[Message]:
    """Return the strings of all modules and templates under a folder, but for sub-folders of one name."""
    found: set[Message] = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".py", ".html", ".txt"} or without in path.relative_to(folder).parts:
            continue
        read = messages_of_python if path.suffix == ".py" else messages_of_template
        try:
            found.update(read(path.read_text(encoding="utf-8")))
        except AssertionError as problem:
            raise AssertionError(f"{path}: {problem}") from problem
    return found


@cache
def messages_of_project() -> frozenset[Message]:
    return frozenset(message for name in SOURCES for message in messages_under(ROOT / name))


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(CATALOGUES / language / "LC_MESSAGES" / "django.po"))


def third_party() -> polib.POFile:
    return polib.pofile(str(CATALOGUES / "third_party.pot"))


def key(entry: polib.POEntry) -> Message:
    return entry.msgctxt or "", entry.msgid, entry.msgid_plural or ""


def wordings(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


@pytest.fixture(params=[HANS, HANT])
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def entries(language: str) -> list[polib.POEntry]:
    return list(catalogue(language))


class TestTheReader:
    """The tests below stand on what it finds."""

    def test_finds_the_calls_of_a_module(self) -> None:
        source = """
from django.utils.translation import gettext as _, gettext_lazy, ngettext_lazy as many, pgettext
print("not this", other("nor this"))
_("one"); gettext_lazy("two " "parts"); many("%(n)s day", "%(n)s days", "n"); pgettext("unit", "points")
"""
        assert set(messages_of_python(source)) == {
            ("", "one", ""), ("", "two parts", ""), ("", "%(n)s day", "%(n)s days"), ("unit", "points", ""),
        }  # fmt: skip

    def test_refuses_a_string_made_at_run_time(self) -> None:
        source = "from django.utils.translation import gettext as _\nword = 1\n_(f'is {word}')"
        with pytest.raises(AssertionError, match="line 3"):
            list(messages_of_python(source))

    def test_finds_the_tags_of_a_template(self) -> None:
        source = """{% load i18n %}
{% translate "one" %} {% translate 'two' as word %} {% translate "points" context "unit" %} {{ _("three")|upper }}
{% blocktranslate with name=person %}Good day, {{ name }}{% endblocktranslate %}
{% blocktranslate trimmed count number=lines %}
    {{ number }} line
{% plural %}
    {{ number }} lines
{% endblocktranslate %}
{% blocktranslate context "a word's" %}It's{% endblocktranslate %}"""
        assert set(messages_of_template(source)) == {
            ("", "one", ""), ("", "two", ""), ("unit", "points", ""), ("", "three", ""), ("", "Good day, %(name)s", ""),
            ("", "%(number)s line", "%(number)s lines"), ("a word's", "It's", ""),
        }  # fmt: skip

    def test_finds_what_the_project_says(self) -> None:
        found = messages_of_project()
        assert len(found) > 800
        assert {("", "tier credits", ""), ("", "Good day, %(name)s", ""), ("unit", "points", "")} <= found


class TestTheCatalogues:
    def test_hold_every_string_of_the_project(self, entries: list[polib.POEntry]) -> None:
        held = {key(entry) for entry in entries}
        assert sorted(messages_of_project() - held) == []

    def test_hold_every_string_collected_from_packages(self, entries: list[polib.POEntry]) -> None:
        held = {key(entry) for entry in entries}
        assert sorted({key(entry) for entry in third_party()} - held) == []

    def test_hold_no_string_that_nobody_says_any_more(self, entries: list[polib.POEntry]) -> None:
        said = messages_of_project() | {key(entry) for entry in third_party()}
        assert sorted({key(entry) for entry in entries} - said) == []

    def test_have_a_wording_for_every_string(self, entries: list[polib.POEntry]) -> None:
        assert [entry.msgid for entry in entries if not all(text.strip() for text in wordings(entry))] == []
        assert [entry.msgid for entry in entries if entry.fuzzy or entry.obsolete or not wordings(entry)] == []

    def test_keep_placeholders_and_markup(self, entries: list[polib.POEntry]) -> None:
        for entry in entries:
            source = entry.msgid_plural or entry.msgid
            for text in wordings(entry):
                for pattern in (PLACEHOLDER, TAG):
                    assert sorted(set(pattern.findall(text))) == sorted(set(pattern.findall(source))), entry.msgid
                assert (text[:1] == "\n", text[-1:] == "\n") == (source[:1] == "\n", source[-1:] == "\n"), entry.msgid
                names = dict.fromkeys(re.findall(r"%\((\w+)\)", source), "1")
                if names:
                    assert text % names, entry.msgid

    def test_say_it_in_chinese(self, entries: list[polib.POEntry]) -> None:
        """A wording may do without Chinese where the English has no words either, or only names."""
        names = {"SKU", "%(reason)s", "%(stores)s", *LANGUAGE_NAMES}
        silent = [
            entry.msgid
            for entry in entries
            for text in wordings(entry)
            if not CJK.search(text) and entry.msgid not in names and re.search("[A-Za-z]{2}", PLACEHOLDER.sub("", text))
        ]
        assert silent == []

    def test_do_not_beg(self, entries: list[polib.POEntry]) -> None:
        """Instructions are imperatives, without 请."""
        begging = re.compile(r"(?<![申邀])[请請](?![求])")
        assert [entry.msgid for entry in entries if any(begging.search(text) for text in wordings(entry))] == []

    def test_can_be_merged_without_noise(self, language: str) -> None:
        metadata = catalogue(language).metadata
        assert metadata["Language"] == language
        assert metadata["Plural-Forms"] == "nplurals=1; plural=0;"
        assert metadata["Content-Type"] == "text/plain; charset=UTF-8"
        assert "POT-Creation-Date" not in metadata
        numbered = [entry.msgid for entry in catalogue(language) if any(line for _path, line in entry.occurrences)]
        assert numbered == []


class TestTheWords:
    def test_are_those_of_the_glossary(self) -> None:
        for place, language in enumerate((HANS, HANT)):
            said = {entry.msgid: entry.msgstr for entry in catalogue(language) if not entry.msgctxt}
            assert {word: said.get(word) for word in GLOSSARY} == {word: pair[place] for word, pair in GLOSSARY.items()}

    def test_are_taiwanese_in_traditional_chinese(self) -> None:
        texts = [text for entry in catalogue(HANT) for text in wordings(entry)]
        assert [(slip, text) for text in texts for slip in SLIPS if slip in text] == []

    def test_use_the_characters_of_their_script(self) -> None:
        """Big5 has no simplified characters, GB 2312 no traditional ones; a few characters are in both."""
        for language, coding, strange in ((HANS, "gb2312", ""), (HANT, "big5", SIMPLIFIED_IN_BIG5)):
            found = {
                character: text
                for entry in catalogue(language)
                if entry.msgid not in LANGUAGE_NAMES
                for text in wordings(entry)
                for character in CJK.findall(text)
                if character in strange or not character.encode(coding, errors="ignore")
            }
            assert found == {}

    def test_are_not_converted_one_to_one(self) -> None:
        """Where the two scripts share every character they still may differ in words; so many can not be alike."""
        hans = {key(entry): wordings(entry) for entry in catalogue(HANS)}
        alike = [entry.msgid for entry in catalogue(HANT) if hans[key(entry)] == wordings(entry)]
        assert len(alike) < len(hans) / 5


class TestThePages:
    def test_speak_the_language_asked_for(self) -> None:
        assert compile_catalogues([CATALOGUES]) == [], "compiled before the tests"
        for language, words in (
            ("zh-hans", ("门店", "张", "3 分")),
            ("zh-hant", ("門市", "張", "3 分")),
            ("en", ("store", "vouchers", "3 points")),
        ):
            with translation.override(language):
                assert gettext("store") == words[0]
                assert pgettext("unit", "vouchers") == words[1]
                assert ngettext("%(points)s point", "%(points)s points", 3) % {"points": 3} == words[2]

    def test_have_no_english_from_the_theme(self) -> None:
        """After an upgrade of django-unfold this names the strings that third_party.pot and the catalogues lack."""
        same_in_every_language = {"%(class_name)s %(instance)s"}
        missing = set()
        for app in apps.get_app_configs():
            if app.name.split(".")[0] != "unfold":
                continue
            for context, msgid, plural in messages_under(Path(app.path), without="contrib"):
                for language in LANGUAGES.values():
                    with translation.override(language):
                        singular = pgettext(context, msgid) if context else gettext(msgid)
                        said = ngettext(msgid, plural, 2) if plural else singular
                    if said in {msgid, plural} and msgid not in same_in_every_language:
                        missing.add((language, msgid))
        assert sorted(missing) == []

    def test_name_models_and_fields_in_chinese(self) -> None:
        """No name of a model or field was left out of translation: Django would show its Python name instead."""
        ours = {name for name in SOURCES if name != "templates"}
        bare = set()
        with translation.override("zh-hans"):
            for model in apps.get_models():
                options = model._meta
                if options.app_label not in ours or hasattr(model, "pgh_tracked_model"):
                    continue
                names = {options.label: options.verbose_name, f"{options.label}, plural": options.verbose_name_plural}
                for field in options.get_fields():
                    if not field.auto_created and not getattr(field, "primary_key", False):
                        names[f"{options.label}.{field.name}"] = getattr(field, "verbose_name", "")
                bare |= {path for path, name in names.items() if not isinstance(name, Promise)}
        assert sorted(bare) == []
