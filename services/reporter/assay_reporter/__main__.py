"""`python -m assay_reporter` runs the reporter until SIGTERM."""

from __future__ import annotations

from assay_chassis.process import run_alone

from assay_reporter.app import make_app
from assay_reporter.settings import ReporterSettings

if __name__ == "__main__":
    run_alone(make_app(ReporterSettings()).run())
