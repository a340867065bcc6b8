"""The scheduler's HTTP application: its routes, its errors, and who may ask.

Wiring only.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI, Request

from assay_scheduler import __version__
from assay_scheduler.api.described import ANY_ROUTE, DescribedApi, refusals
from assay_scheduler.api.experiments import experiment_routes
from assay_scheduler.api.guards import SAFE, RateLimit, add_guards
from assay_scheduler.api.jobs import job_routes
from assay_scheduler.api.refusals import add_refusals
from assay_scheduler.api.tokens import Tokens
from assay_scheduler.api.versions import version_routes
from assay_scheduler.parts import Parts


def build_api(parts: Parts) -> FastAPI:
    """All routes. With a tokens file, each needs a token; health and metrics, added by the chassis, do not."""
    api = DescribedApi(title="Assay scheduler", version=__version__, description="Experiments and jobs.")
    tokens, limit = Tokens(parts.settings.api_tokens_file), RateLimit(parts.settings.api_requests_per_minute)

    async def known(request: Request) -> None:
        asker = tokens.asker(request.headers.get("authorization", ""))
        limit.take(asker.owner or (request.client.host if request.client else ""))
        asker.needs("read" if request.method in SAFE else "submit")
        request.state.asker, request.state.owner = asker, asker.owner

    for router in (experiment_routes(parts), job_routes(parts), version_routes(parts)):
        api.include_router(router, dependencies=[Depends(known)], responses=refusals(*ANY_ROUTE))
    add_refusals(api)
    add_guards(api)
    return api
