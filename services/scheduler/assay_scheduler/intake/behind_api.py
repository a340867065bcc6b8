"""Whether a model behind an API may take part: declared by the operator, and able to be asked by every benchmark.

Never opens a connection: a model that is away fails its jobs, not the experiment's intake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assay_schemas.artifacts import ModelRef
from assay_schemas.benchmarks import OWN_BENCHMARKS, BenchmarkDefinition
from assay_schemas.endpoints import Endpoint, EndpointsUnreadable, endpoint_model
from assay_schemas.problems import nearest

from assay_scheduler.intake.unusable import Unusable


def usable_endpoint(location: str, endpoints: Callable[[], Mapping[str, Endpoint]], benchmarks: Any) -> ModelRef:
    """The model that `endpoint:NAME/MODEL` names. Raises Unusable."""
    try:
        named, declared = endpoint_model(location), endpoints()
    except EndpointsUnreadable as error:
        raise Unusable(f"{location!r} cannot be looked up: {error}.", "Mend the file, or leave the arm out.") from error
    except ValueError as error:
        raise Unusable(f"{error}.", "Write endpoint:NAME/MODEL.") from error
    endpoint = declared.get(named.name)
    if endpoint is None:
        mend = nearest(named.name, declared) or "Declare it in the file that ASSAY_ENDPOINTS_FILE names."
        raise Unusable(f"the endpoint {named.name!r} is not declared here.", mend)
    if endpoint.models and named.model not in endpoint.models:
        raise Unusable(f"{named.name!r} may not be asked for {named.model!r}.", nearest(named.model, endpoint.models))
    asked = _own_benchmarks(benchmarks)
    if not endpoint.likelihoods and (needing := [one.name for one in asked if one.scored_on == "likelihood"]):
        message = f"the endpoint {named.name!r} gives no likelihoods, which {', '.join(needing)} needs."
        raise Unusable(message, "Use benchmarks of generated answers, or leave the arm out.")
    if not endpoint.images and (needing := [one.name for one in asked if one.shows_images]):
        message = (
            f"the endpoint {named.name!r} does not declare that it takes images, which {', '.join(needing)} shows."
        )
        raise Unusable(message, "Declare images for it, or leave the arm out.")
    return named.reference()


def _own_benchmarks(benchmarks: Any) -> list[BenchmarkDefinition]:
    """The own benchmarks among them; what a harness task needs is not known before it runs."""
    names = [one.get("name") for one in benchmarks if isinstance(one, Mapping)] if isinstance(benchmarks, list) else []
    return [OWN_BENCHMARKS[name] for name in names if isinstance(name, str) and name in OWN_BENCHMARKS]
