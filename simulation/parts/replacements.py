"""What of the product's surroundings a simulation replaces while it runs: sockets, the system's clock, log lines.

Never replaces a rule: handlers, lifecycle, planner, inbox, outbox, relay, reader and job services are the real ones.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import asyncpg
import structlog
from assay_chassis import app, inbox
from assay_chassis.database import Database
from assay_chassis.inbox import HandlerOfSeveral
from assay_chassis.outbox import Transaction
from assay_scheduler.policy import UNLIMITED, Resources
from assay_schemas.envelope import Event

from simulation.database.sessions import Pool
from simulation.parts.inspection import NoCosting, SimulatedInspector
from simulation.parts.reports import REPLACEMENTS as REPORTS
from simulation.workload import QUOTA_CPUS
from simulation.world import SimulatedWorld

Apply = Callable[[Database, Sequence[Event], HandlerOfSeveral], Awaitable[list[Event]]]
# Seconds between looks of loops that poll, made longer where the real value would cost a simulation its time.
SLOWER: dict[str, float] = {
    "assay_chassis.job_service.monitor.LIVE_POLL_S": 1.0,
    "assay_chassis.kafka_reader.COMMIT_EVERY_S": 2.0,
    "assay_chassis.relay.POLL_S": 5.0,
    "assay_scheduler.work.POLL_S": 4.0,
    "assay_scheduler.intake.worker.POLL_S": 4.0,
    "assay_chassis.kafka_reader.LOOK_EVERY_S": 3.0,
    "assay_chassis.app.WATCH_EVERY_S": 10.0,
    "assay_scheduler.progress.FLUSH_EVERY_S": 1.0,
}


class NoHttp:
    """An HTTP server that nobody calls."""

    def __init__(self, *_: object) -> None:
        self.port = 1

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


async def _nothing_to_migrate(*_: object) -> None:
    pass


async def _nothing_to_look_at(*_: object) -> None:
    pass


class Unmeasured:
    """Metrics that nobody reads."""

    def __init__(self, *_: object) -> None:
        pass

    async def run(self) -> None:
        pass


def _nothing_to_measure(*_: object, **__: object) -> None:
    """Nobody looks at a simulation's metrics."""


def _heard(real: Apply) -> Apply:
    """`apply_together` that notes in the transaction what its handler was given."""

    async def apply(database: Database, events: Sequence[Event], handler: HandlerOfSeveral) -> list[Event]:
        async def noted(fresh: Sequence[Event], opened: Transaction) -> None:
            opened.connection.tx.applied += fresh
            await handler(fresh, opened)

        return await real(database, events, noted)

    return apply


@contextmanager
def replaced(world: SimulatedWorld) -> Iterator[None]:
    """The product as it runs inside this world."""

    async def connect(_url: str, *, server_settings: dict[str, str], **__: Any) -> Any:
        return world.sessions[server_settings["search_path"]].connect(server_settings)

    async def create_pool(_url: str, *, server_settings: dict[str, str], max_size: int, **_: Any) -> Pool:
        return Pool(world.sessions[server_settings["search_path"]], max_size, server_settings)

    silent = SimpleNamespace(dump_traceback_later=lambda *_, **__: None, cancel_dump_traceback_later=lambda: None)
    replacements: dict[str, Any] = {
        "assay_chassis.app.HttpServer": NoHttp,
        "assay_chassis.app.FastAPI": lambda **_: None,
        "assay_chassis.app.add_health_routes": lambda *_: None,
        "assay_chassis.app.migrate": _nothing_to_migrate,
        "assay_chassis.app.faulthandler": silent,
        "assay_chassis.app.apply_together": _heard(vars(app)["apply_together"]),
        "assay_chassis.inbox.apply_together": _heard(inbox.apply_together),
        "assay_chassis.app.ServiceApp._measure_outbox": _nothing_to_look_at,
        "assay_scheduler.app.Measuring": Unmeasured,
        "assay_chassis.telemetry.count": _nothing_to_measure,
        "assay_chassis.telemetry.gauge": _nothing_to_measure,
        "assay_chassis.telemetry.observe": _nothing_to_measure,
        "assay_chassis.delivery.decode": world.read,
        "assay_chassis.relay.decode": world.read,
        "assay_chassis.publishing.datetime": world.clock,
        "assay_evaluator.choosing.datetime": world.clock,
        "assay_scheduler.app._inspector": lambda *_: SimulatedInspector(world.loop),
        "assay_scheduler.app.Costing": NoCosting,
        "assay_scheduler.app.build_api": lambda _: None,
        "assay_scheduler.app.read_quotas": lambda _: {
            owner: Resources(cpus, UNLIMITED, UNLIMITED) for owner, cpus in QUOTA_CPUS.items()
        },
        # Shorter than the longest stop of a process, so that a settling experiment can be taken over.
        "assay_scheduler.settlement.LEASE": timedelta(seconds=15),
        **REPORTS,
        **SLOWER,
    }
    with ExitStack() as stack:
        stack.enter_context(patch.object(asyncpg, "connect", connect))
        stack.enter_context(patch.object(asyncpg, "create_pool", create_pool))
        for name, replacement in replacements.items():
            stack.enter_context(patch(name, replacement))
        yield


def quiet() -> None:
    """Log lines of simulated services go nowhere."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=True
    )
