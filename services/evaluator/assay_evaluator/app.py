"""The evaluator as a process: the job service on a compute backend, wired to the broker and the store.

Decides nothing itself and keeps nothing: its view is what the backend and the object store hold.
"""

from __future__ import annotations

from functools import partial

from assay_chassis.app import ServiceApp
from assay_chassis.compute import SharedRuns, environments_of, open_backend
from assay_chassis.job_service import JobService

from assay_evaluator.handlers import EVALUATION, PRELOAD, ask_to_end, selection
from assay_evaluator.settings import EvaluatorSettings, compute_settings
from assay_evaluator.version import harness_version

NAME = "evaluator"


async def serve(settings: EvaluatorSettings) -> None:
    """Run the evaluator until it is told to stop. Evaluations that run go on, and the next evaluator adopts them."""
    app = ServiceApp(NAME, settings)
    environment = {"ASSAY_OBJECT_STORE": app.store.root, "ASSAY_EVALUATION_CACHE": str(settings.cache_folder)}
    environments = environments_of("harness", harness_version(), settings.versions_file)
    compute = compute_settings(settings)
    backend = open_backend(compute, NAME, preload=PRELOAD, environment=environment, environments=environments)
    if settings.evaluations_together > 1:
        backend = SharedRuns(backend, partial(ask_to_end, app.store))
    JobService.of(app, backend, [EVALUATION, selection(app.store)], settings.evaluations_together)
    await backend.start()
    try:
        await app.run()
    finally:
        await backend.close()
