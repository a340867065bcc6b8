"""What the scheduler consists of, for its workers, its HTTP API and its tests."""

from __future__ import annotations

from dataclasses import dataclass

from assay_chassis.app import ServiceApp

from assay_scheduler.admission import Admitter
from assay_scheduler.bell import Bell
from assay_scheduler.commander import Commander
from assay_scheduler.intake.inspection import Inspector
from assay_scheduler.intake.planning import Planning
from assay_scheduler.settings import SchedulerSettings


@dataclass(frozen=True)
class Parts:
    app: ServiceApp
    settings: SchedulerSettings
    commander: Commander
    admitter: Admitter
    inspector: Inspector
    planning: Planning
    bell: Bell
