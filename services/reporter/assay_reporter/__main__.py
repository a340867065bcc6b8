"""`python -m assay_reporter` runs the reporter until SIGTERM."""

import asyncio

from assay_reporter.app import make_app
from assay_reporter.settings import ReporterSettings

if __name__ == "__main__":
    asyncio.run(make_app(ReporterSettings()).run())
