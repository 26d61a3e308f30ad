"""Work done at the same moment, each piece on a thread and a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection

PATIENCE_SECONDS = 60.0


def together[T](jobs: Sequence[Callable[[], T]], *, patience: float = PATIENCE_SECONDS) -> list[T]:
    """Run the jobs at once, one thread each, all behind one gate; return their answers in order, or raise the first error.

    `patience` is for how many seconds each may take.
    """
    gate = Barrier(len(jobs))

    def run(job: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            gate.wait(patience)
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result(patience) for future in [pool.submit(run, job) for job in jobs]]


def spread[T](job: Callable[[int], T], *, times: int, threads: int, patience: float = PATIENCE_SECONDS) -> list[T]:
    """Run a job `times` times over some threads, each on its own connection and all at once; return the answers in order."""

    def share(first: int) -> list[tuple[int, T]]:
        return [(number, job(number)) for number in range(first, times, threads)]

    shares = together([lambda first=first: share(first) for first in range(threads)], patience=patience)  # type: ignore[misc]
    return [answer for _number, answer in sorted((pair for part in shares for pair in part), key=lambda pair: pair[0])]
