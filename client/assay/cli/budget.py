"""`assay budget`: what each look at an experiment with a budget decided, and what was not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from assay.cli.output import ExperimentId, JsonFlag, console, emit

if TYPE_CHECKING:
    from assay_schemas.events import ExperimentBudget


def register(app: typer.Typer) -> None:
    app.command()(budget)


def budget(experiment: ExperimentId, as_json: JsonFlag = False) -> None:
    """Shows what each look at an experiment with a budget decided.

    Which arms stopped and why, which go on, and at the end how many runs were not needed.

    Example: assay budget 3f1c
    """
    from assay.blocking import run_blocking
    from assay.budget import looks
    from assay.lookup import find_run

    run = find_run(experiment)
    found = run_blocking(looks(run.settings, run.id))
    emit([one.model_dump(mode="json") for one in found], as_json, _show)


def _show(looks: list[dict[str, Any]]) -> None:
    from assay_schemas.events import ExperimentBudget

    out = console()
    for one in looks:
        head = f"look {one['look']} of at most {one['looks']}  {one['experiment_id']}"
        out.print(f"{head}  {one['used']} of {one['runs']} runs used", style="bold", soft_wrap=True)
        for arm in one["arms"]:
            seeds = f"{arm['seeds']} seed{'' if arm['seeds'] == 1 else 's'}"
            out.print(f"    {arm['arm']}, {seeds}: {arm['action'].replace('_', ' ')} ({arm['reason']})")
        for name, limit in one["more_items"].items():
            out.print(f"    {name}: {limit:,} items at the next look")
    last = looks[-1]
    if last["next"]:
        out.print(f"The next look is experiment {last['next']}: assay watch {last['next'][:8]}", soft_wrap=True)
    else:
        out.print(f"This was the last look: {ending(ExperimentBudget.model_validate(last))}.")


def ending(last: ExperimentBudget) -> str:
    """What became of the runs that were declared, and whether that was enough."""
    if not last.saved_runs:
        return f"all {last.runs} runs were used" + ("" if last.settled else ", and verdicts are still open")
    were = "needed" if last.settled else "used, and verdicts are still open"
    return f"{last.saved_runs} of {last.runs} runs were not {were}"
