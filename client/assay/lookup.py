"""Finds experiments people name by the beginning of their id."""

from __future__ import annotations

from datetime import datetime, timedelta

from assay.api import Api
from assay.errors import AssayError, NotFound
from assay.run import Run
from assay.settings import load_settings

FULL_LENGTH = 36


def find_run(experiment: str) -> Run:
    """The run of an id or its unambiguous beginning. Raises NotFound, and AssayError when several match."""
    settings = load_settings()
    if not settings.api_url:
        return Run(experiment, settings)
    api = Api(settings)
    if len(experiment) == FULL_LENGTH:
        found = api.experiment(experiment)
    else:
        matches = [one for one in api.experiments(limit=200) if str(one["id"]).startswith(experiment)]
        if not matches:
            raise NotFound(f"No experiment begins with {experiment!r}. See `assay list`.")
        if len(matches) > 1:
            raise AssayError(f"{len(matches)} experiments begin with {experiment!r}; give more of the id.")
        found = matches[0]
    requested = found.get("requested_at")
    since = datetime.fromisoformat(str(requested)) - timedelta(seconds=5) if requested else None
    return Run(str(found["id"]), settings, since)
