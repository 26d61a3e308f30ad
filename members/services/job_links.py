"""Links to the result of a job for those who ask over the API: signed, for one job, until its files end."""

from datetime import datetime
from typing import Final

from django.core.signing import BadSignature, Signer

from members.identifiers import JOB, NotFound, public_ref
from members.jobs import asker_of
from members.models import Job, JobFile
from members.services.jobs import TakenFile, take_file

_SALT: Final = "members.job_links"


def link_key(job: Job) -> str:
    """Return the signature that opens the result of a job, until its files end."""
    return Signer(salt=_SALT).signature(public_ref(JOB, job.public_id))


def take_result(*, job: Job, key: str, at: datetime, ip_address: str | None) -> TakenFile:
    """Return the result of a job to whoever has its link, after writing it down as taken by whoever asked for the job.

    Raises `NotFound` for a key that is not the job's, and as `take_file` does.
    """
    try:
        Signer(salt=_SALT).unsign(f"{public_ref(JOB, job.public_id)}:{key}")
    except BadSignature as error:
        raise NotFound from error
    return take_file(job_id=job.pk, role=JobFile.Role.RESULT, by=asker_of(job), at=at, ip_address=ip_address)
