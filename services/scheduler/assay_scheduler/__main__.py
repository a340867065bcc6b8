"""`python -m assay_scheduler`: the scheduler as a process, configured by ASSAY_* variables."""

from __future__ import annotations

from assay_chassis.process import run_alone

from assay_scheduler.app import build
from assay_scheduler.settings import SchedulerSettings

if __name__ == "__main__":
    run_alone(build(SchedulerSettings()).app.run())
