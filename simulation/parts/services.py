"""The services of a simulated system as processes: the real ones, put together as their own packages do.

Never keeps one alive; the world starts them again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache

from assay_chassis.app import ServiceApp
from assay_chassis.job_service import JobService
from assay_chassis.settings import ServiceSettings
from assay_evaluator.handlers import EVALUATION, selection
from assay_reporter.handlers import Handlers
from assay_reporter.publication import Publication
from assay_reporter.sinks import DeclaredSinks
from assay_scheduler.app import build
from assay_scheduler.settings import SchedulerSettings
from assay_trainer.handlers import TRAINING

from simulation.faults import LEASE_S
from simulation.loop import current_process
from simulation.parts.broker import SimulatedBroker
from simulation.parts.compute import ClusterBackend
from simulation.workload import CAPACITY_CPUS
from simulation.world import SimulatedWorld

CAPACITY_GIB = 64.0
START_LEASE_S = 45.0


@cache
def scheduler_settings() -> SchedulerSettings:
    return SchedulerSettings(
        capacity_cpus=CAPACITY_CPUS,
        capacity_memory_gib=CAPACITY_GIB,
        retry_backoff_s=1.0,
        lease_s=LEASE_S,
        start_lease_s=START_LEASE_S,
        patience_s=20.0,
        intake_workers=1,
        intake_lease_s=12.0,
        database_connections=4,
        shutdown_timeout_s=2.0,
    )


@cache
def worker_settings() -> ServiceSettings:
    return ServiceSettings(shutdown_timeout_s=2.0)


async def scheduler(world: SimulatedWorld) -> None:
    broker = SimulatedBroker(world.log, world.clock)
    parts = build(scheduler_settings(), broker=broker, clock=world.clock, store=world.store)
    await _run(parts.app)


async def trainer(world: SimulatedWorld) -> None:
    app = _worker(world, "trainer")
    JobService.of(app, ClusterBackend(world.clusters["trainer"]), [TRAINING])
    await _run(app)


async def evaluator(world: SimulatedWorld) -> None:
    app = _worker(world, "evaluator")
    JobService.of(app, ClusterBackend(world.clusters["evaluator"]), [EVALUATION, selection(app.store)])
    await _run(app)


async def reporter(world: SimulatedWorld) -> None:
    app, sinks = _worker(world, "reporter", "assay_reporter"), DeclaredSinks({})
    publication = Publication(app, lambda: "", sinks, lambda: None)
    Handlers(app, publication, sinks).register()
    app.background("publication", publication.run)
    await _run(app)


def _worker(world: SimulatedWorld, name: str, migrations: str | None = None) -> ServiceApp:
    broker = SimulatedBroker(world.log, world.clock)
    return ServiceApp(
        name, worker_settings(), migrations=migrations, broker=broker, clock=world.clock, store=world.store
    )


async def _run(app: ServiceApp) -> None:
    current_process().ask_to_end = app.stop
    await app._run()


SERVICES: dict[str, Callable[[SimulatedWorld], Awaitable[None]]] = {
    "scheduler": scheduler,
    "trainer": trainer,
    "evaluator": evaluator,
    "reporter": reporter,
}
