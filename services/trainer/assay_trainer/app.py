"""The trainer as a process: the job service on a compute backend, wired to the broker and the store.

Decides nothing itself and keeps nothing: its view is what the backend and the object store hold.
"""

from __future__ import annotations

from assay_chassis.app import ServiceApp
from assay_chassis.compute import environments_of, open_backend
from assay_chassis.job_service import JobService

from assay_trainer.handlers import PRELOAD, TRAINING
from assay_trainer.settings import TrainerSettings, compute_settings, tracking_dir
from assay_trainer.version import ENGINE_VERSION

NAME = "trainer"


async def serve(settings: TrainerSettings) -> None:
    """Run the trainer until it is told to stop. Jobs that run go on, and the next trainer adopts them.

    Raises pydantic.ValidationError for a tracker that is not known, before any job meets it.
    """
    trackers = tracking_dir(settings)
    app = ServiceApp(NAME, settings)
    environment = {"ASSAY_OBJECT_STORE": app.store.root, "ASSAY_TRACKING_DIR": str(trackers)}
    environments = environments_of("engine", ENGINE_VERSION, settings.versions_file)
    compute = compute_settings(settings)
    backend = open_backend(compute, NAME, preload=PRELOAD, environment=environment, environments=environments)
    JobService.of(app, backend, [TRAINING])
    await backend.start()
    try:
        await app.run()
    finally:
        await backend.close()
