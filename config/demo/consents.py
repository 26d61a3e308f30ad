"""What the demo's members agreed to when they joined, and the words that were put to them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from config.demo.people import Person
from members.actors import Actor
from members.models import ConsentEntry, ContactChannel, Purpose
from members.services.bulk_consents import FirstYes, give_first_consents
from members.services.consents import publish_text

Way = ConsentEntry.Way
#: The second version of the words about offers is so many days old.
NEW_WORDS_DAYS = 200
NEW_WORDS = {
    "zh_hans": "我同意麦田通过我勾选的渠道（短信、微信、邮件、App）向我发送新品和优惠信息，每周不超过两次。我可以随时在小程序“我的”页面或致电客服撤回。",
    "zh_hant": "我同意麥田透過我勾選的管道（簡訊、微信、電子郵件、App）向我發送新品和優惠資訊，每週不超過兩次。我可以隨時在小程式「我的」頁面或致電客服撤回。",
    "en": "Maitian may send me news and offers through the channels I tick (text message, WeChat, e-mail, app), at most twice a week. "
    "I can withdraw at any time in the mini-program or by calling.",
}
#: Of a hundred members, so many agree when they join.
MARKETING, BEHAVIOUR, RESEARCH, SHARING = 64, 35, 14, 8
#: Which channels those who agree to offers tick, and how often.
CHANNELS: list[tuple[tuple[ContactChannel, ...], int]] = [
    ((ContactChannel.SMS, ContactChannel.WECHAT), 42),
    ((ContactChannel.WECHAT,), 24),
    ((ContactChannel.SMS, ContactChannel.WECHAT, ContactChannel.EMAIL), 16),
    ((ContactChannel.EMAIL,), 6),
    ((ContactChannel.SMS, ContactChannel.EMAIL, ContactChannel.WECHAT, ContactChannel.APP), 12),
]


def publish_words(*, now: datetime, by: Actor) -> None:
    """Put new words about offers in the place of the first ones."""
    publish_text(purpose=Purpose.MARKETING, body=NEW_WORDS, by=by, at=now - timedelta(days=NEW_WORDS_DAYS))


def agree(people: Sequence[Person], random: Random) -> None:
    """Let members agree a minute after they joined, each to what they like."""
    given: list[FirstYes] = []
    for person in people:
        at, by = person.joined_at + timedelta(minutes=1), Actor("member", person.member_id)
        way = Way.SELF if person.index % 2 else Way.STORE
        if random.randrange(100) < MARKETING:
            channels = random.choices([ways for ways, _ in CHANNELS], [weight for _, weight in CHANNELS])[0]
            given.append(FirstYes(person.member_id, Purpose.MARKETING, way, by, at, tuple(map(str, channels))))
        for purpose, share in (
            (Purpose.BEHAVIOUR, BEHAVIOUR),
            (Purpose.RESEARCH, RESEARCH),
            (Purpose.SHARING, SHARING),
        ):
            if random.randrange(100) < share:
                given.append(FirstYes(person.member_id, purpose, Way.SELF, by, at))
    give_first_consents(given=given)
