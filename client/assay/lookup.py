"""Finds experiments and jobs that people name by the beginning of an id or a key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from assay.api import Api
from assay.errors import AssayError, NotFound
from assay.run import Run
from assay.settings import load_settings

FULL_LENGTH, FULL_KEY = 36, 64
MOST_LISTED = 200


def find_run(experiment: str) -> Run:
    """The run of an id or its unambiguous beginning. Raises NotFound, and AssayError when several match."""
    _named(experiment, "experiment", "assay list")
    settings = load_settings()
    if not settings.api_url:
        return Run(experiment, settings)
    api = Api(settings)
    if len(experiment) == FULL_LENGTH:
        found = api.experiment(experiment)
    else:
        found = _only(api.experiments(limit=MOST_LISTED), "id", experiment, "experiments", "assay list")
    requested = found.get("requested_at")
    since = datetime.fromisoformat(str(requested)) - timedelta(seconds=5) if requested else None
    return Run(str(found["id"]), settings, since)


def find_job(api: Api, job: str) -> str:
    """The key of a job by its unambiguous beginning. Raises as `find_run`."""
    _named(job, "job", "assay status")
    if len(job) == FULL_KEY:
        return job
    return str(_only(api.jobs(limit=MOST_LISTED), "key", job, "jobs", "assay status")["key"])


def _named(beginning: str, what: str, command: str) -> None:
    """Every id begins with nothing: a variable that a script left empty must not name the only one that is here."""
    if not beginning.strip():
        raise AssayError(f"No {what} is named: the id is empty. See `{command}`.")


def _only(listed: list[dict[str, Any]], name: str, beginning: str, what: str, command: str) -> dict[str, Any]:
    matches = [one for one in listed if str(one[name]).startswith(beginning)]
    if not matches:
        newest = f"the {MOST_LISTED} newest " if len(listed) == MOST_LISTED else ""
        raise NotFound(
            f"None of {newest or 'the '}{what} begins with {beginning!r}. See `{command}`, or give all of it."
        )
    if len(matches) > 1:
        raise AssayError(f"{len(matches)} {what} begin with {beginning!r}; give more of it.")
    return matches[0]
