"""Signs of life of jobs: kept in memory, written together, and answered where nobody wants the work.

The latest attempt and sequence win; a lost sign of life is followed by the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay_chassis.app import ServiceApp
from assay_chassis.errors import Refused
from assay_schemas.envelope import Event
from assay_schemas.events import JobProgressed

from assay_scheduler.commander import as_event
from assay_scheduler.lifecycle import progress_is_wanted
from assay_scheduler.requests import stop_message
from assay_scheduler.states import Standing
from assay_scheduler.store import QUERIES

FLUSH_EVERY_S = 0.5
UNWANTED = "nobody wants this attempt."
LARGEST_ATTEMPT, LARGEST_SEQUENCE = 2**31 - 1, 2**63 - 1
MOST_ANSWERED = 10_000


class ProgressReader:
    """Collects `job.progressed`, and every half second writes the latest of each job."""

    def __init__(self, app: ServiceApp) -> None:
        self._app = app
        self._news: dict[str, JobProgressed] = {}
        self._waits_since = 0.0
        self._answered: set[tuple[str, int]] = set()

    async def handle(self, events: Sequence[Event]) -> None:
        """Remembers the latest of each job. Raises ValidationError, and Refused for what no row can hold, with nothing
        remembered: all that is written with it would wait for it."""
        news = [JobProgressed.model_validate(event.data) for event in events]
        for one in news:
            if one.attempt > LARGEST_ATTEMPT or one.sequence > LARGEST_SEQUENCE:
                raise Refused(f"data: attempt {one.attempt} or sequence {one.sequence} is no number of any worker's")
        if not self._news:
            self._waits_since = self._app.clock.monotonic()
        for one in news:
            known = self._news.get(one.job_key)
            if known is None or (known.attempt, known.sequence) <= (one.attempt, one.sequence):
                self._news[one.job_key] = one

    def unwritten_s(self) -> float:
        """For how many seconds a sign of life has been read and not written, while a lock is waited for say."""
        return self._app.clock.monotonic() - self._waits_since if self._news else 0.0

    async def run(self) -> None:
        while True:
            await self._app.clock.sleep(FLUSH_EVERY_S)
            if self._news:
                await self.flush()

    async def flush(self) -> None:
        """Writes what has come; keeps it when the database is away."""
        news, began = list(self._news.values()), self._app.clock.monotonic()
        async with self._app.database.transaction() as connection:
            rows = await connection.fetch(QUERIES.lock_standings, [one.job_key for one in news])
            jobs = {row["key"]: Standing(row["status"], row["attempt"]) for row in rows}
            judged = [(one, progress_is_wanted(jobs.get(one.job_key), one.attempt)) for one in news]
            await _note(connection, [one for one, answer in judged if answer == "heed"])
        for one in news:
            if self._news.get(one.job_key) is one:
                del self._news[one.job_key]
        self._waits_since = began
        await self._stop([one for one, answer in judged if answer == "stop"])

    async def _stop(self, unwanted: list[JobProgressed]) -> None:
        """Answers each unwanted attempt once, as far as is remembered: an answer that comes again changes nothing."""
        fresh = [one for one in unwanted if (one.job_key, one.attempt) not in self._answered]
        messages = [stop_message(one.job_key, one.kind, one.attempt, UNWANTED) for one in fresh]
        if messages:
            now = self._app.clock.now()
            await self._app.publisher.publish(*(as_event(message, now) for message in messages))
            if len(self._answered) > MOST_ANSWERED:
                self._answered.clear()
            self._answered |= {(one.job_key, one.attempt) for one in fresh}


async def _note(connection: Any, news: list[JobProgressed]) -> None:
    if not news:
        return
    await connection.execute(
        QUERIES.note_progress,
        [one.job_key for one in news],
        [one.attempt for one in news],
        [one.sequence for one in news],
        [one.model_dump(mode="json") for one in news],
    )
    if sharing := [one for one in news if one.shares]:
        await connection.execute(
            QUERIES.note_shares,
            [one.job_key for one in sharing],
            [one.attempt for one in sharing],
            [one.shares for one in sharing],
        )
