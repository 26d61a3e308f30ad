"""Why a message was not sent: stored as a code, said in the language of whoever reads it."""

from django.utils.translation import gettext_lazy as _

NO_EMAIL = "no_email"
NO_ADDRESS = "no_address"
MEMBER_NOT_ACTIVE = "member_not_active"
TEMPLATE_NOT_IN_USE = "template_not_in_use"
TOO_LATE = "too_late"
NOT_ALLOWED = "not_allowed"
TEXT_NOT_READY = "text_not_ready"
NOT_ACCEPTED = "not_accepted"
NOT_REACHED = "not_reached"

NOT_TO_BE_REACHED = frozenset({NO_EMAIL, NO_ADDRESS, NOT_ACCEPTED, NOT_REACHED, TOO_LATE})
"""The member was to be told, and was not: nothing that staff chose or could mend stood in the way."""

_SENTENCES = {
    NO_EMAIL: _("The member has no e-mail address."),
    NO_ADDRESS: _("This channel can not reach the member."),
    MEMBER_NOT_ACTIVE: _("The member is frozen or has left."),
    TEMPLATE_NOT_IN_USE: _("The template was taken out of use."),
    NOT_ALLOWED: _("The member does not want to be written to for this, or in this way."),
    TOO_LATE: _("It could not be sent in time; late it would only confuse."),
    TEXT_NOT_READY: _("The text of the template has a mistake."),
    NOT_ACCEPTED: _("The recipient's side refused it for good."),
    NOT_REACHED: _("The recipient's side did not answer."),
}


def note_sentence(note: str) -> str:
    """Return the note of a message as a sentence in the active language; empty for no note."""
    return str(_SENTENCES[note]) if note else ""
