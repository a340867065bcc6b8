"""Puts the scheduler together: handlers, background work and HTTP, on the chassis.

Wiring only; every rule is elsewhere.
"""

from __future__ import annotations

from assay_chassis.app import ServiceApp
from assay_chassis.broker import Broker
from assay_chassis.clock import Clock
from assay_chassis.errors import Misconfigured
from assay_chassis.object_store import ObjectStore, StoreSettings, open_store
from assay_schemas.endpoints import read_endpoints
from assay_schemas.events import COMPLETION_TOPIC
from assay_schemas.standard_hardware import SHIPPED, HardwareTable, HardwareTableUnreadable, hardware_table
from assay_schemas.versions import available_versions

from assay_scheduler.admission import Admitter
from assay_scheduler.api import build_api
from assay_scheduler.bell import Bell
from assay_scheduler.commander import Commander
from assay_scheduler.findings_cache import DatabaseCache
from assay_scheduler.handlers import Handlers
from assay_scheduler.intake.costing import Costing
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.hub import HubModels
from assay_scheduler.intake.inspection import Inspector
from assay_scheduler.intake.installation import Installation
from assay_scheduler.intake.locations import Locations
from assay_scheduler.intake.models import ModelIntake
from assay_scheduler.intake.planning import Planning
from assay_scheduler.intake.worker import IntakeWorker
from assay_scheduler.measuring import Measuring
from assay_scheduler.parts import Parts
from assay_scheduler.progress import ProgressReader
from assay_scheduler.quotas import read_quotas
from assay_scheduler.reconciler import Reconciler
from assay_scheduler.settings import SchedulerSettings
from assay_scheduler.settlement import Settlement
from assay_scheduler.steadily import steadily
from assay_scheduler.work import Listening, WorkLoop


def build(
    settings: SchedulerSettings,
    *,
    broker: Broker | None = None,
    clock: Clock | None = None,
    store: ObjectStore | None = None,
) -> Parts:
    """The scheduler, registered and ready to run; nothing is connected yet."""
    app = ServiceApp(
        "scheduler",
        settings,
        migrations="assay_scheduler",
        broker=broker,
        clock=clock,
        store=store,
        pause_s=settings.pause_s,
    )
    commander = Commander(settings.limits, settings.capacity)
    parts = Parts(
        app,
        settings,
        commander,
        Admitter(commander, settings.capacity, settings.patience_s, read_quotas(settings.owner_quotas_file)),
        _inspector(app, settings),
        Planning(app, Costing(app, DatabaseCache(app))),
        Bell(),
    )
    _register_background(parts, _register_handlers(parts))
    app.mount(build_api(parts))
    return parts


def _register_handlers(parts: Parts) -> ProgressReader:
    app = parts.app
    handlers = Handlers(parts.commander, app.clock, parts.settings.system_user)
    app.on_several(["experiment.requested"], handlers.experiments_requested)
    app.on("experiment.cancel.requested", handlers.experiment_cancel_requested)
    app.on_several(list(COMPLETION_TOPIC.values()), handlers.jobs_completed)
    progress = ProgressReader(app)
    app.on_progress(["job.progressed"], progress.handle)
    app.background("progress", steadily(app, "progress", progress.run))
    return progress


def _register_background(parts: Parts, progress: ProgressReader) -> None:
    app, settings = parts.app, parts.settings
    works = {
        "listening": Listening(app, parts.bell).run,
        "work": WorkLoop(app, parts.admitter, Settlement(app), parts.bell).run,
        "measuring": Measuring(app).run,
        "reconciler": Reconciler(app, parts.commander, settings, progress.unwritten_s).run,
    }
    for number in range(settings.intake_workers):
        works[f"intake-{number}"] = IntakeWorker(parts).run
    for name, work in works.items():
        app.background(name, steadily(app, name, work))


def _inspector(app: ServiceApp, settings: SchedulerSettings) -> Inspector:
    scratch = settings.state_dir / "intake"
    scratch.mkdir(parents=True, exist_ok=True)
    locations = Locations(app.store, settings.roots, scratch, lambda root: open_store(root, _store_settings(settings)))
    cache = DatabaseCache(app)
    return Inspector(
        DatasetIntake(app.store, locations, cache, scratch),
        ModelIntake(app.store, locations, cache, HubModels(offline=settings.hub_offline)),
        _installation(settings),
    )


def _installation(settings: SchedulerSettings) -> Installation:
    return Installation(
        capacity=settings.capacity,
        most_nodes=settings.capacity_nodes,
        backend=settings.backend,
        rollout_engine=settings.rollout_engine,
        evaluation_engines=settings.evaluation_engines,
        endpoints=lambda: read_endpoints(settings.endpoints_file),
        versions=lambda: available_versions(settings.versions_file),
        standard_hardware=_standard_hardware(settings),
    )


def _standard_hardware(settings: SchedulerSettings) -> HardwareTable:
    try:
        return hardware_table(settings.standard_hardware_file or SHIPPED)
    except HardwareTableUnreadable as error:
        raise Misconfigured(f"ASSAY_STANDARD_HARDWARE_FILE: {error}; correct the file, or leave it out") from error


def _store_settings(settings: SchedulerSettings) -> StoreSettings:
    """Other buckets are reached at the same server with the same account."""
    return StoreSettings(
        object_store=settings.object_store,
        s3_endpoint_url=settings.s3_endpoint_url,
        s3_region=settings.s3_region,
        s3_ssl_cafile=settings.s3_ssl_cafile,
        s3_access_key_id=settings.s3_access_key_id,
        s3_secret_access_key=settings.s3_secret_access_key,
    )
