"""`python -m assay_scheduler`: the scheduler as a process, configured by ASSAY_* variables."""

from __future__ import annotations

import asyncio

from assay_scheduler.app import build
from assay_scheduler.settings import SchedulerSettings


async def main() -> None:
    await build(SchedulerSettings()).app.run()


if __name__ == "__main__":
    asyncio.run(main())
