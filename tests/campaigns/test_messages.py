"""The outbox: who gets a message, in which words, how often it is tried, and that it goes out once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from threading import Barrier
from time import sleep

import pytest
from django.core import mail
from django.db import connection

from campaigns import notes
from campaigns.channels import Letter, NotDelivered
from campaigns.channels.console import ConsoleChannel
from campaigns.channels.email import EmailChannel
from campaigns.handlers import tell_members
from campaigns.models import Message, MessageTemplate
from campaigns.services import messages
from campaigns.services.messages import (
    LEASE,
    WAITS,
    Delivery,
    MessageNotGivenUp,
    deliver_due_messages,
    queue_messages,
    retry_message,
)
from loyalty.events import TIER_RAISED
from loyalty.models import Tier
from members.actors import SYSTEM
from members.models import Member, TimelineEntry
from members.timeline import NewEntry, record
from tests.campaigns.given import NOON, a_member, a_rise

MINUTE = timedelta(minutes=1)
SENT, FAILED, SKIPPED, QUEUED = (Message.State.SENT, Message.State.FAILED, Message.State.SKIPPED, Message.State.QUEUED)


class Postbox:
    """A channel that answers as it was told, one answer for each letter, and keeps what it took."""

    missing_address = notes.NO_EMAIL

    def __init__(self, *answers: NotDelivered | None, pause: float = 0) -> None:
        self.answers = list(answers)
        self.taken: list[Letter] = []
        self.asked = 0
        self.pause = pause
        self.in_transaction = False

    def address_of(self, person: object) -> str:
        return "somewhere"

    def send(self, letter: Letter) -> None:
        self.in_transaction |= connection.in_atomic_block
        sleep(self.pause)
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.taken.append(letter)


@pytest.fixture
def postbox(monkeypatch: pytest.MonkeyPatch) -> Postbox:
    box = Postbox()
    monkeypatch.setitem(messages.CHANNELS, "email", box)
    return box


@pytest.fixture
def gold() -> Tier:
    names = {"name": "金卡", "name_zh_hans": "金卡", "name_zh_hant": "金卡會員", "name_en": "Gold"}
    return Tier.objects.update_or_create(code="gold", defaults=names, create_defaults={**names, "rank": 77})[0]


def state_of(member: Member) -> tuple[str, str, int]:
    return Message.objects.values_list("state", "note", "attempts").get(member=member)


@pytest.mark.django_db
class TestQueue:
    def test_holds_one_message_for_each_tier_change(self) -> None:
        member = a_member(email="ann@example.com")
        tell_members([a_rise(member), a_rise(member)])
        tell_members([a_rise(member, change=1), a_rise(member, change=2)])
        assert list(Message.objects.values_list("occurrence", "state").order_by("pk")) == [
            ("tier_change:1", QUEUED),
            ("tier_change:2", QUEUED),
        ]

    def test_holds_figures_but_nothing_about_the_person(self) -> None:
        member = a_member(name="Ann Lee", email="ann@example.com")
        tell_members([a_rise(member)])
        message = Message.objects.get()
        assert message.figures == {"to": "gold", "credits": 2100, "valid_until": "2027-11-30T16:00:00+00:00"}
        assert (message.cause_id, message.created_at, message.next_attempt_at) == (1, NOON, NOON)

    def test_holds_nothing_for_history(self) -> None:
        member = a_member(email="ann@example.com")
        late = NOON + timedelta(days=3, microseconds=1)
        tell_members([a_rise(member, quiet=True), a_rise(member, change=2, recorded_at=late)])
        assert not Message.objects.exists()
        tell_members([a_rise(member, change=3, recorded_at=NOON + timedelta(days=3))])
        assert Message.objects.count() == 1

    @pytest.mark.parametrize("status", ["frozen", "closed"])
    def test_holds_nothing_for_members_who_are_not_active(self, status: str) -> None:
        tell_members([a_rise(a_member(email="ann@example.com", status=status))])
        assert not Message.objects.exists()

    def test_holds_nothing_when_the_template_is_out_of_use(self) -> None:
        MessageTemplate.objects.update(is_active=False)
        tell_members([a_rise(a_member(email="ann@example.com"))])
        assert not Message.objects.exists()


@pytest.mark.django_db
class TestWords:
    @pytest.mark.parametrize(
        ("language", "title", "words"),
        [
            ("en", "Congratulations, you are now Gold", ["Dear Ann Lee,", "2100 tier credits", "Nov. 30, 2027"]),
            ("zh-hans", "恭喜您升级为金卡", ["Ann Lee，您好", "2100 成长值", "2027年11月30日"]),
            ("zh-hant", "恭喜您升級為金卡會員", ["Ann Lee，您好", "2100 成長值", "2027年11月30日"]),
        ],
    )
    def test_are_those_of_the_members_language(self, gold: Tier, language: str, title: str, words: list[str]) -> None:
        member = a_member(name="Ann Lee", email="ann@example.com", language=language)
        queue_messages(entries=[a_rise(member)])
        assert deliver_due_messages(at=NOON) == Delivery(sent=1)
        (letter,) = mail.outbox
        assert (letter.subject, letter.to) == (title, ["ann@example.com"])
        assert all(part in letter.body for part in words)
        assert "{" not in letter.body

    def test_are_never_mixed_from_two_languages(self, gold: Tier) -> None:
        MessageTemplate.objects.update(body_en="")
        queue_messages(entries=[a_rise(a_member(name="Ann", email="ann@example.com", language="en"))])
        deliver_due_messages(at=NOON)
        (letter,) = mail.outbox
        assert letter.subject == "恭喜您升级为金卡"
        assert "成长值" in letter.body

    def test_keep_a_name_from_writing_headers(self, gold: Tier, postbox: Postbox) -> None:
        MessageTemplate.objects.update(title_en="Hello {name}")
        queue_messages(entries=[a_rise(a_member(name="Ann\r\nBcc: all@example.com {tier}", email="ann@example.com"))])
        deliver_due_messages(at=NOON)
        assert postbox.taken[0].title == "Hello Ann Bcc: all@example.com {tier}"

    def test_with_a_mistake_fail_and_are_not_sent(self, gold: Tier) -> None:
        MessageTemplate.objects.update(body_en="Dear {name.__class__}")
        member = a_member(name="Ann", email="ann@example.com")
        queue_messages(entries=[a_rise(member)])
        assert deliver_due_messages(at=NOON) == Delivery(failed=1)
        assert state_of(member) == (FAILED, notes.TEXT_NOT_READY, 1)
        assert mail.outbox == []


@pytest.mark.django_db
class TestDelivery:
    def queued(self, **person: str) -> Member:
        member = a_member(**{"name": "Ann", "email": "ann@example.com", **person})
        queue_messages(entries=[a_rise(member)])
        return member

    def test_sends_once_and_tells_the_timeline(self, postbox: Postbox) -> None:
        (cause,) = record([NewEntry(TIER_RAISED, None, NOON, SYSTEM, depth=1)])
        member = a_member(email="ann@example.com")
        rise = a_rise(member)
        rise.pk = cause
        queue_messages(entries=[rise])
        assert deliver_due_messages(at=NOON) == Delivery(sent=1)
        assert deliver_due_messages(at=NOON + timedelta(days=1)) == Delivery()
        message = Message.objects.get()
        assert (message.state, message.sent_at, len(postbox.taken)) == (SENT, NOON, 1)
        entry = TimelineEntry.objects.get(kind="campaigns.message_sent.v1")
        assert (entry.member_id, entry.cause_id, entry.depth) == (member.pk, cause, 2)
        assert entry.payload == {"message": message.pk, "template": message.template_id}

    def test_leaves_what_is_not_due_and_what_is_beyond_the_limit(self, postbox: Postbox) -> None:
        for _ in range(3):
            member = a_member(email=None)
            queue_messages(entries=[a_rise(member)])
        assert deliver_due_messages(at=NOON - timedelta(microseconds=1)) == Delivery()
        assert deliver_due_messages(at=NOON, limit=2) == Delivery(sent=2)

    def test_tries_again_later_and_gives_up_after_five_attempts(self, postbox: Postbox) -> None:
        member = self.queued()
        postbox.answers = [NotDelivered(lasting=False)] * 9
        at = NOON
        for number, wait in enumerate(WAITS, start=1):
            assert deliver_due_messages(at=at) == Delivery(postponed=1)
            assert state_of(member) == (QUEUED, notes.NOT_REACHED, number)
            assert deliver_due_messages(at=at + wait - timedelta(microseconds=1)) == Delivery()
            at += wait
        assert deliver_due_messages(at=at) == Delivery(failed=1)
        assert state_of(member) == (FAILED, notes.NOT_REACHED, 5)
        assert deliver_due_messages(at=at + timedelta(days=1)) == Delivery()
        assert postbox.asked == 5

    def test_does_not_insist_where_the_other_side_refuses_for_good(self, postbox: Postbox) -> None:
        member = self.queued()
        postbox.answers = [NotDelivered(lasting=True)]
        assert deliver_due_messages(at=NOON) == Delivery(failed=1)
        assert state_of(member) == (FAILED, notes.NOT_ACCEPTED, 1)

    def test_ends_the_run_when_nobody_answers(self, postbox: Postbox) -> None:
        for _ in range(25):
            queue_messages(entries=[a_rise(a_member())])
        postbox.answers = [NotDelivered(lasting=False)] * 25
        assert deliver_due_messages(at=NOON).postponed == postbox.asked == 10

    @pytest.mark.parametrize("email", [None, ""])
    def test_skips_members_without_an_address(self, email: str | None) -> None:
        member = a_member(name="Ann") if email is None else a_member()
        queue_messages(entries=[a_rise(member)])
        assert deliver_due_messages(at=NOON) == Delivery(skipped=1)
        assert state_of(member) == (SKIPPED, notes.NO_EMAIL, 1)
        assert mail.outbox == []

    def test_skips_members_who_left_meanwhile(self, postbox: Postbox) -> None:
        member = self.queued()
        Member.objects.filter(pk=member.pk).update(status=Member.Status.CLOSED)
        assert deliver_due_messages(at=NOON) == Delivery(skipped=1)
        assert state_of(member)[:2] == (SKIPPED, notes.MEMBER_NOT_ACTIVE)
        assert postbox.asked == 0

    def test_skips_what_no_worker_took_for_three_days(self, postbox: Postbox) -> None:
        member = self.queued()
        assert deliver_due_messages(at=NOON + timedelta(days=3, microseconds=1)) == Delivery(skipped=1)
        assert state_of(member)[:2] == (SKIPPED, notes.TOO_LATE)

    def test_takes_up_what_a_dead_worker_left_after_its_lease_and_not_for_ever(self, postbox: Postbox) -> None:
        member = self.queued()
        at = NOON
        for _ in range(5):
            assert len(messages._claim(at=at, count=10)) == 1  # and the worker dies
            assert deliver_due_messages(at=at + LEASE - timedelta(microseconds=1)) == Delivery()
            at += LEASE
        assert deliver_due_messages(at=at) == Delivery(failed=1)
        assert state_of(member)[:2] == (FAILED, notes.NOT_REACHED)
        assert postbox.asked == 0

    def test_does_not_write_over_what_another_worker_claimed_since(self, postbox: Postbox) -> None:
        member = self.queued()
        (slow,) = messages._claim(at=NOON, count=10)
        messages._claim(at=NOON + LEASE, count=10)
        done = Delivery()
        messages._take_note(slow, SENT, "", at=NOON + LEASE, done=done)
        assert done == Delivery()
        assert state_of(member) == (QUEUED, "", 2)
        assert not TimelineEntry.objects.exists()


@pytest.mark.django_db
class TestRetry:
    def test_puts_a_message_that_was_given_up_back(self, postbox: Postbox) -> None:
        queue_messages(entries=[a_rise(a_member())])
        postbox.answers = [NotDelivered(lasting=True)]
        deliver_due_messages(at=NOON)
        much_later = NOON + timedelta(days=30)
        retry_message(message_id=Message.objects.get().pk, by=SYSTEM, at=much_later)
        assert deliver_due_messages(at=much_later) == Delivery(sent=1)

    @pytest.mark.parametrize("state", [QUEUED, SENT])
    def test_is_refused_otherwise(self, state: str) -> None:
        queue_messages(entries=[a_rise(a_member())])
        Message.objects.update(state=state)
        before = list(Message.objects.values())
        with pytest.raises(MessageNotGivenUp):
            retry_message(message_id=before[0]["id"], by=SYSTEM, at=NOON + MINUTE)
        assert list(Message.objects.values()) == before


class TestTwoWorkers:
    def test_send_each_message_once(self, committed_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
        box = Postbox(pause=0.002)
        monkeypatch.setitem(messages.CHANNELS, "email", box)
        for _ in range(60):
            queue_messages(entries=[a_rise(a_member())])
        start = Barrier(4)

        def work(_: int) -> Delivery:
            try:
                start.wait()
                return deliver_due_messages(at=NOON)
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            runs: Sequence[Delivery] = list(pool.map(work, range(4)))
        assert sum(run.sent for run in runs) == 60
        assert not box.in_transaction
        assert sorted(letter.message_id for letter in box.taken) == sorted(Message.objects.values_list("pk", flat=True))
        assert TimelineEntry.objects.filter(kind=messages.MESSAGE_SENT).count() == 60


class TestEmailChannel:
    letter = Letter(5, "ann@example.com", "Title", "Body")

    def failing(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> NotDelivered:
        def fail(*_args: object, **_options: object) -> int:
            raise error

        monkeypatch.setattr(mail.EmailMessage, "send", fail)
        with pytest.raises(NotDelivered) as refused:
            EmailChannel().send(self.letter)
        return refused.value

    def test_knows_a_missing_mailbox_from_a_busy_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gone = SMTPRecipientsRefused({"ann@example.com": (550, b"no such user")})
        busy = SMTPRecipientsRefused({"ann@example.com": (451, b"try later")})
        assert self.failing(monkeypatch, gone).lasting
        assert not self.failing(monkeypatch, busy).lasting
        assert not self.failing(monkeypatch, SMTPServerDisconnected()).lasting
        assert not self.failing(monkeypatch, TimeoutError()).lasting

    def test_does_not_carry_the_address_in_its_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refused = self.failing(monkeypatch, SMTPRecipientsRefused({"ann@example.com": (550, b"no such user")}))
        assert "ann@" not in f"{refused!r} {refused.__cause__!r}"


def test_the_console_says_no_more_than_the_number(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        ConsoleChannel().send(Letter(5, "console", "Hello Ann", "Dear Ann, ann@example.com"))
    assert "message 5 delivered" in caplog.text
    assert "Ann" not in caplog.text
