"""`assay gate`: a policy applied to an experiment's verdicts, with an exit code that a pipeline can act on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.output import EXIT_FAILED, EXIT_INVALID, ExperimentId, JsonFlag, console, emit, fail, rows

EXIT_CODES = {"pass": 0, "block": 1, "inconclusive": 4}
STYLES = {"pass": "bold green", "block": "bold red", "inconclusive": "bold yellow"}


def register(app: typer.Typer) -> None:
    app.command()(gate)


def gate(
    experiment: ExperimentId,
    policy: Annotated[Path, typer.Option(help="The policy as YAML or JSON.", exists=True, dir_okay=False)],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the report first.")] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait at most.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish gate.decided as well.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Says whether an experiment's verdicts meet a policy.

    Exit code: 0 pass, 1 block, 4 inconclusive; 2 the policy has problems (all are listed), 3 it could not
    be asked (no system, no report).

    \b
    A policy:
        must_not_fall: ["*"]       # none, by the smallest effect of interest
        must_rise: [{benchmark: gsm8k, by: 0.02, confidence: 0.975}]

    Further keys: arms (default all), against (default control).

    Example: assay gate 3f1c --policy examples/gate.yaml
    """
    from assay.errors import AssayError, Refused

    try:
        decision = _decision(experiment, policy, wait, timeout, publish)
    except AssayError as error:
        fail(error, as_json)
        raise typer.Exit(EXIT_INVALID if isinstance(error, Refused) else EXIT_FAILED) from error
    emit(decision.model_dump(mode="json"), as_json, _show)
    raise typer.Exit(EXIT_CODES[decision.decision])


def _decision(experiment: str, file: Path, wait: bool, timeout: float | None, publish: bool) -> Any:
    from assay.blocking import run_blocking
    from assay.errors import AssayError
    from assay.files import read_document
    from assay.gate import decide
    from assay.lookup import find_run
    from assay.policy import read_policy
    from assay.stream import publish as publish_events

    document = read_document(file, "policy")
    if wait:
        read_policy(document)  # a wrong one is not waited for
    try:
        run = find_run(experiment)
        if wait:
            run.wait(timeout)
        verdicts = run.report().verdicts
    except AssayError:
        read_policy(document)
        raise
    decision = decide(read_policy(document, verdicts), run.id, verdicts)
    if publish:
        run_blocking(publish_events(run.settings, [decision.event(run.settings.source, datetime.now(UTC))]))
    return decision


def _show(found: dict[str, Any]) -> None:
    from rich.text import Text

    columns = {"outcome": "outcome", "rule": "rule", "arm": "arm", "benchmark": "benchmark"}
    rows(found["checks"], columns, "No checks.")
    for reason in found["reasons"]:
        console().print(Text(reason), soft_wrap=True)
    console().print(Text(found["decision"], style=STYLES[found["decision"]]))
