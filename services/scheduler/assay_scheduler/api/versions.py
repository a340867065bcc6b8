"""The route that says which versions of engine and harness may be asked for.

Reads what is declared; never looks into an environment that is not the scheduler's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from assay_schemas.algorithms import NEWEST_ENGINE
from assay_schemas.benchmarks import NEWEST_HARNESS
from assay_schemas.versions import LIBRARIES, Environment, VersionKind
from fastapi import APIRouter

from assay_scheduler.parts import Parts

KINDS: tuple[tuple[VersionKind, str, str], ...] = (
    ("engine", NEWEST_ENGINE, "assay-trainer"),
    ("harness", NEWEST_HARNESS, "assay-evaluator"),
)


def version_routes(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["versions"])

    @router.get("/versions", summary="The versions of engine and harness that may be asked for")
    async def versions() -> dict[str, Any]:
        declared = parts.inspector.installation.versions()
        return {
            "items": [
                described(kind, name, environment, default, package)
                for kind, default, package in KINDS
                for name, environment in _newest_last(declared.of(kind), default)
            ]
        }

    return router


def _newest_last(found: Mapping[str, Environment], default: str) -> list[tuple[str, Environment]]:
    return sorted(found.items(), key=lambda one: (one[0] == default, one[0]))


def described(kind: VersionKind, name: str, environment: Environment, default: str, package: str) -> dict[str, Any]:
    """One version: where it is, what it computes with as far as is known here, and beside what it may stand."""
    own = environment.python is None and environment.image is None
    return {
        "kind": kind,
        "version": name,
        "default": name == default,
        "where": "with the services" if own else str(environment.python or environment.image),
        "python": str(environment.python) if environment.python else None,
        "image": environment.image,
        "libraries": _installed_here(kind, package) if own and name == default else environment.libraries,
        "comparable_with": list(environment.comparable_with),
    }


def _installed_here(kind: VersionKind, package: str) -> dict[str, str]:
    """The services' own libraries, where the scheduler shares their environment; their image has them elsewhere."""
    try:
        version(package)
        return {name: version(name) for name in LIBRARIES[kind]}
    except PackageNotFoundError:
        return {}
