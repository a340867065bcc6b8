"""Requests as the OpenAPI description allows them, and as it does not; each answer must be one that it describes.

Never stops at a wrong answer: each different one is found once, with the request that made it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fuzzing.api.ground import Ground

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = ("/experiments/{experiment_id}/stream",)
TIMEOUT_S = 30.0


@dataclass
class Explored:
    """One operation: how many requests it got, their statuses, and each different wrong answer with its request."""

    operation: str
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)


def explore(ground: Ground, examples: int, first: int = 0) -> list[Explored]:
    """`examples` requests to every operation of both services; another `first` gives other ones."""
    found = []
    for service, url in ground.urls.items():
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        for one in schema.get_all_operations():
            if isinstance(one, Err):
                raise one.err()
            operation = one.ok()
            if operation.path not in ENDLESS:
                found.append(_explore(service, url, operation, ground, examples, first))
    return found


def _explore(
    service: str, url: str, operation: APIOperation[Any, Any, Any, Any], ground: Ground, examples: int, first: int
) -> Explored:
    explored = Explored(f"{service} {operation.label}")
    modes = [operation.as_strategy(generation_mode=mode) for mode in _modes(operation)]

    with requests.Session() as session:

        @seed(first)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(modes), real=st.booleans(), which=st.integers(0, 1000))
        def ask(case: Case[Any], real: bool, which: int) -> None:
            if real:
                _make_known(case, ground, which)
            _ask(case, url, session, explored)

        ask()
    return explored


def _modes(operation: APIOperation[Any, Any, Any, Any]) -> list[GenerationMode]:
    """Without parameters nothing can be wrong."""
    has_some = any(True for _ in operation.iter_parameters()) or len(operation.body) > 0
    return [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if has_some else [GenerationMode.POSITIVE]


def _make_known(case: Case[Any], ground: Ground, which: int) -> None:
    """Put what exists into the address: a name made up is never found."""
    for name in list(case.path_parameters or {}):
        if values := ground.known.get(name):
            case.path_parameters[name] = values[which % len(values)]


def _ask(case: Case[Any], url: str, session: requests.Session, explored: Explored) -> None:
    response = case.call(base_url=url, session=session, timeout=TIMEOUT_S)
    explored.requests += 1
    explored.statuses[response.status_code] += 1
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        for failure in group.exceptions:
            words = f"{response.status_code} {getattr(failure, 'title', type(failure).__name__)}"
            explored.wrong.setdefault(words, f"{case.as_curl_command()}\n{str(failure)[:600]}\n{response.text[:400]}")
