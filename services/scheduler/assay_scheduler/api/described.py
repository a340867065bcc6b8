"""What the OpenAPI description says beyond the routes' own types: every refusal, and the bodies of requests.

Describes only; what is refused is decided elsewhere.
"""

from __future__ import annotations

from typing import Any

from assay_schemas.events import PAYLOADS
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from assay_scheduler.api.refusals import MEDIA_TYPE
from assay_scheduler.intake.jobs import EvalJobBody, TrainingJobBody

PROBLEM = {
    "type": "object",
    "title": "Problem details (RFC 9457)",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "experiment_id": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {name: {"type": "string"} for name in ("field", "message", "mend")},
            },
        },
    },
}
WORDS = {
    400: "Not JSON, or an address with a null character",
    401: "No known token",
    403: "A token without the scope, another's experiment, or another site's page",
    404: "There is no such thing",
    409: "Not possible in its present state",
    413: "The body is too large",
    422: "The request has problems; all are listed",
    429: "Too many requests",
    503: "Something that is needed is away; try again in two seconds",
}
ANY_ROUTE = (400, 401, 403, 422, 429, 503)
BODIES: dict[str, type[BaseModel]] = {
    "Experiment": PAYLOADS["experiment.requested"],
    "TrainingJob": TrainingJobBody,
    "EvalJob": EvalJobBody,
}
COMPONENTS = "#/components/schemas/{model}"


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of these statuses, for a route's description."""
    content = {MEDIA_TYPE: {"schema": PROBLEM}}
    return {status: {"description": WORDS[status], "content": content} for status in statuses}


def body(name: str) -> dict[str, Any]:
    """The body of a request, for a route that reads it itself: the order of checks is its own."""
    schema = {"$ref": COMPONENTS.format(model=BODIES[name].__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


class DescribedApi(FastAPI):
    """With the schemas of the bodies that routes refer to."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            described = super().openapi()
            models = [(model, "validation") for model in BODIES.values()]
            _, schemas = models_json_schema(models, ref_template=COMPONENTS)  # type: ignore[arg-type]
            described.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
        assert self.openapi_schema is not None
        return self.openapi_schema
