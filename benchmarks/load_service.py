"""Scheduler or reporter as a process, each of whose decisions takes some I/O more: as a slow disk or network would.

Everything else is the service's own, but for what a report says: jobs that do nothing leave no evidence for one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from assay_chassis import app, inbox
from assay_chassis.database import Database
from assay_chassis.inbox import HandlerOfSeveral
from assay_chassis.outbox import Transaction
from assay_chassis.process import run_alone
from assay_schemas.envelope import Event

NAME, IO_MS = "ASSAY_LOAD_SERVICE", "ASSAY_LOAD_IO_MS"


def slowly(seconds: float) -> Any:
    """`apply_together` with so much I/O for each event, in its transaction."""
    apply = inbox.apply_together

    async def slow(database: Database, events: Sequence[Event], handler: HandlerOfSeveral) -> list[Event]:
        async def handle(fresh: Sequence[Event], tx: Transaction) -> None:
            await asyncio.sleep(seconds * len(fresh))
            await handler(fresh, tx)

        return await apply(database, events, handle)

    return slow


async def scheduler() -> None:
    from assay_scheduler.app import build
    from assay_scheduler.settings import SchedulerSettings

    await build(SchedulerSettings()).app.run()


async def reporter(seconds: float) -> None:
    from assay_reporter.app import make_app
    from assay_reporter.publication import Publication
    from assay_reporter.settings import ReporterSettings

    from simulation.parts.reports import REPLACEMENTS

    publish = Publication._publish

    async def slow(self: Publication, *given: Any) -> None:
        await asyncio.sleep(seconds)
        await publish(self, *given)

    for place, stand_in in {**REPLACEMENTS, "assay_reporter.publication.Publication._publish": slow}.items():
        patch(place, stand_in).start()
    await make_app(ReporterSettings()).run()


def main(name: str) -> None:
    seconds = float(os.environ[IO_MS]) / 1000
    for place in (app, inbox):
        patch.object(place, "apply_together", slowly(seconds)).start()
    run_alone(scheduler() if name == "scheduler" else reporter(seconds))


if __name__ == "__main__":
    main(os.environ[NAME])
