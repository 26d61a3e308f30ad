"""E-mail, through the mail server that EMAIL_URL names."""

from smtplib import SMTPException, SMTPRecipientsRefused
from typing import ClassVar

from django.core.mail import EmailMessage

from campaigns.channels import Letter, NotDelivered
from members.models import MemberPerson

_NO_SUCH_MAILBOX = range(500, 600)  # SMTP: the server will not change its mind


class EmailChannel:
    """Sends a plain-text e-mail."""

    missing_address: ClassVar[str] = "no_email"

    def address_of(self, person: MemberPerson | None) -> str:
        """Return the member's e-mail address, empty when none is known."""
        return (person.email or "") if person else ""

    def send(self, letter: Letter) -> None:
        """Hand the letter to the mail server. Raises NotDelivered, lasting when the server knows no such mailbox."""
        # The id lets a mail server that keeps ids drop a letter that comes twice (a worker died before it took note).
        headers = {"X-Message-Reference": str(letter.message_id)}
        try:
            EmailMessage(letter.title, letter.body, to=[letter.address], headers=headers).send()
        except SMTPRecipientsRefused as refused:
            lasting = all(code in _NO_SUCH_MAILBOX for code, _ in refused.recipients.values())
            raise NotDelivered(lasting=lasting) from None  # the original names the address
        except ValueError:
            raise NotDelivered(lasting=True) from None  # what stands there is no address
        except (SMTPException, OSError) as error:
            raise NotDelivered(lasting=False) from error
