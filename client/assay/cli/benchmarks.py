"""`assay benchmarks`: what can be evaluated on, by domain, and everything about one.

Reads what comes with the schemas; asks no service.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assay.cli.output import JsonFlag, console, emit, rows

COLUMNS = {"name": "name", "domain": "domain", "benchmark": "in a specification", "data": "data", "metric": "leads"}
OWN = "your own"


def register(app: typer.Typer) -> None:
    app.command()(benchmarks)


def benchmarks(
    name: Annotated[str, typer.Argument(help="One of them, for everything about it.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Lists what can be evaluated on, by domain.

    With a name, how to ask for it, its data and the figures it is aligned to.

    Example: assay benchmarks humaneval
    """
    if not name:
        emit(_listed(), as_json, lambda listed: rows(listed, COLUMNS, "There are none."))
        return
    emit(_described(name), as_json, _show)


def _listed() -> list[dict[str, Any]]:
    from assay_schemas.benchmarks import OWN_BENCHMARKS
    from assay_schemas.catalogue import catalogue

    published = [
        {
            "name": entry.name,
            "domain": entry.domain,
            "benchmark": entry.benchmark,
            "data": entry.data.hub if entry.brings_data else f"its rows ({entry.data.hub})",
            "metric": entry.metrics[0],
        }
        for entry in sorted(catalogue().values(), key=lambda entry: (entry.domain, entry.name))
    ]
    own = [
        {"name": one.name, "domain": OWN, "benchmark": one.name, "data": "rows of yours", "metric": one.primary_metric}
        for one in OWN_BENCHMARKS.values()
    ]
    return published + own


def _described(name: str) -> dict[str, Any]:
    """All that is known of one, with the parameters it takes. Raises AssayError for a name that is not there."""
    from assay_schemas.benchmarks import NEWEST_HARNESS, OWN_BENCHMARKS, definition_of
    from assay_schemas.catalogue import catalogue
    from assay_schemas.problems import nearest

    from assay.errors import AssayError

    entry = catalogue().get(name)
    definition = entry.definition if entry is not None else definition_of(name, NEWEST_HARNESS)
    if definition is None:
        raise AssayError(f"No benchmark is called {name}. {nearest(name, [*catalogue(), *OWN_BENCHMARKS])}")
    fields = definition.parameters.model_fields.items()
    takes = {
        field: None if info.is_required() else info.get_default(call_default_factory=True) for field, info in fields
    }
    found: dict[str, Any] = {"name": name, "takes": takes}
    if entry is None:
        columns = [list(columns) for columns in definition.item_columns if columns]
        return {**found, "metrics": [definition.primary_metric or "the task's own"], "columns": columns}
    about = {**found, **entry.model_dump(mode="json"), "in_specification": entry.in_specification}
    return {**about, "download": entry.data.download}


def _show(found: dict[str, Any]) -> None:
    out = console()
    lines = {"domain": found.get("domain"), "what": found.get("what")}
    if asked := found.get("in_specification"):
        lines["asked for as"] = f"{{{_flow(asked)}}}"
        lines["as it comes"] = _flow(found["parameters"]) or "no parameters"
        lines["harness"] = found["harness_version"]
        lines["data"] = found["download"]
    lines["metrics"] = ", ".join(found["metrics"])
    columns = found.get("columns", [])
    lines["columns"] = ", ".join(columns) if "hub" in found.get("data", ()) else " | ".join(map(", ".join, columns))
    lines["takes"] = _flow({key: value for key, value in found["takes"].items() if value is not None})
    lines["and"] = ", ".join(key for key, value in found["takes"].items() if value is None)
    for key, value in lines.items():
        if value:
            out.print(f"{key + ':':<14}{value}")
    for figure in found.get("published", []):
        of = figure["what"] or f"{figure['model']} at {figure['revision'][:12]}"
        out.print(f"{'published:':<14}{figure['figure']:g} ± {figure['tolerance']:g}, {of}; {figure['source']}")
    if found.get("no_figure"):
        out.print(f"{'published:':<14}none to be aligned to: {found['no_figure']}")


def _flow(value: Any) -> str:
    """A mapping as YAML writes it within braces."""
    if not isinstance(value, dict):
        return "[" + ", ".join(map(_flow, value)) + "]" if isinstance(value, list) else str(value)
    inner = {key: f"{{{_flow(one)}}}" if isinstance(one, dict) else _flow(one) for key, one in value.items()}
    return ", ".join(f"{key}: {one}" for key, one in inner.items())
