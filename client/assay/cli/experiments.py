"""Commands that submit, list, watch, cancel and retry experiments, and show a job's logs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import EXIT_CANCELLED, EXIT_FAILED, ExperimentId, JsonFlag, console, emit, fail, rows, visible

if TYPE_CHECKING:
    from assay.run import Run
    from assay.settings import ClientSettings

Timeout = Annotated[float | None, typer.Option(help="Seconds to wait at most; the experiment goes on.")]
ACCEPT_TIMEOUT_S = 60.0
SHORT = 8
NOT_PLANNED = (
    "No jobs are planned yet: data, model and benchmarks are being read. While the Hugging Face Hub does not answer, "
    "an experiment on a model of it waits, for about ten minutes."
)
YES = {True: "yes", False: "no"}
Status = StrEnum(
    "Status", ["requested", "running", "settling", "ended", "rejected", "succeeded", "partial", "failed", "cancelled"]
)
"""What an experiment may be: on its way, or how it ended; `ended` is any of the last five."""
ENDED = tuple(Status)[-5:]


def register(app: typer.Typer) -> None:
    for command in (submit, list_, status, watch, cancel, retry, logs):
        app.command(name=command.__name__.rstrip("_"))(command)


def submit(
    file: Annotated[Path, typer.Argument(help="The experiment as YAML or JSON.", exists=True, dir_okay=False)],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the report, and print it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    timeout: Timeout = None,
    as_json: JsonFlag = False,
) -> None:
    """Publishes an experiment. Exit code: 0 succeeded or partial, 2 invalid, 3 failed, 5 cancelled.

    Example: assay submit examples/demo.yaml --wait
    """
    from assay.errors import AssayError
    from assay.files import read_document
    from assay.settings import load_settings

    try:
        settings = load_settings()
        document = read_document(file)
        if dry_run:
            _dry_run(document, file.resolve().parent, settings, as_json)
            return
        code = _submit(document, file.resolve().parent, settings, wait, timeout, as_json)
    except AssayError as error:
        raise typer.Exit(fail(error, as_json)) from error
    raise typer.Exit(code)


def _submit(
    document: Any, folder: Path, settings: ClientSettings, wait: bool, timeout: float | None, as_json: bool
) -> int:
    from assay.experiment import submit_document

    run = submit_document(document, folder, settings)
    if not as_json:
        console(stderr=True).print(f"experiment {run.id}" + (f"  {run.url}" if run.url else ""))
    view = run.answer(timeout or ACCEPT_TIMEOUT_S)
    if wait:
        run.wait(timeout)
        return _finish(run, as_json)
    accepted = view.accepted
    plain = {
        "experiment_id": run.id,
        "url": run.url,
        "jobs": accepted and accepted.jobs,
        "reused": accepted and accepted.reused,
    }
    emit(plain, as_json, lambda _: console().print(f"accepted: {plain['jobs']} jobs, {plain['reused']} of them reused"))
    return 0


def _finish(run: Run, as_json: bool) -> int:
    """Prints the report and gives the exit code of the experiment's outcome."""
    from assay.display import show_report

    report = run.report()

    def show(_: Any) -> None:
        show_report(report, console())
        console().print(
            f"report: {run.report_uri('html')}" + (f"\npage:   {run.url}" if run.url else ""), soft_wrap=True
        )

    emit(report.model_dump(mode="json"), as_json, show)
    return {"failed": EXIT_FAILED, "cancelled": EXIT_CANCELLED}.get(report.outcome, 0)


def _dry_run(document: Any, folder: Path, settings: ClientSettings, as_json: bool) -> None:
    from assay_schemas.results import Plan, job_titles

    from assay.api import Api
    from assay.cost import cost_lines
    from assay.locations import located
    from assay.store import Store

    plan = Api(settings).plan(located(document, folder, Store(settings)))
    columns = {"title": "job", "reused": "reused", "reason": "why"}

    def show(found: Any) -> None:
        titles = job_titles(Plan.model_validate(found))
        listed = [
            {"title": titles.get(job["key"], job["kind"]), "reused": YES[job["reused"]], "reason": job["reason"]}
            for job in found["jobs"]
        ]
        rows(listed, columns, "No jobs.", sentences="reason")
        for line in cost_lines(found.get("cost")):
            console().print(line, soft_wrap=True)

    emit(plan, as_json, show)


def list_(
    owner: Annotated[str | None, typer.Option(help="Only this owner's.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Lists experiments, newest first.

    Example: assay list --status running
    """
    from assay.api import Api
    from assay.settings import load_settings

    found = Api(load_settings()).experiments(owner=owner, status=status, limit=limit)
    columns = {
        "id": "experiment",
        "name": "name",
        "owner": "owner",
        "status": "status",
        "requested_at": "requested (UTC)",
    }
    empty = "No experiment matches." if owner or status else "No experiments yet. Try `assay submit`."
    emit(found, as_json, lambda items: rows([short(item) for item in items], columns, empty))


def short(item: dict[str, Any]) -> dict[str, Any]:
    """Fits a terminal: the beginning of the id, which every command takes, and the time to the minute."""
    return {
        **item,
        "id": str(item["id"])[:SHORT],
        "requested_at": str(item.get("requested_at") or "")[:16].replace("T", " "),
    }


def status(experiment: ExperimentId, as_json: JsonFlag = False) -> None:
    """Shows an experiment's jobs, and why each was reused or not.

    Example: assay status 3f1c
    """
    run = _run(experiment)
    found = run.status()

    def show(details: Any) -> None:
        console().print(f"{details['id']}  {details.get('name', '')}  {details['status']}", style="bold")
        columns = {"key": "key", "title": "job", "status": "status", "attempt": "attempt", "reason": "why"}
        empty = "Refused:" if details.get("problems") else NOT_PLANNED
        jobs = [{**job, "key": job["key"][:SHORT], "reason": _why(job)} for job in details.get("jobs", [])]
        rows(jobs, columns, empty, sentences="reason")
        for problem in details.get("problems", []):
            console().print(f"{problem['field']}: {problem['message']} {problem['mend']}")

    emit(found, as_json, show)


def _why(job: dict[str, Any]) -> str:
    """Why it was or was not reused; while it waits, for what, and while it runs, how far it is."""
    return ". ".join(said.rstrip(".") for said in (job["reason"], job["waiting"], _going(job)) if said)


def _going(job: dict[str, Any]) -> str:
    from assay_schemas.differences import duration

    progress = job.get("progress")
    if job.get("status") != "running" or not progress:
        return ""
    steps = f"Step {progress['step']} of {progress['total']}" if progress.get("total") else "Runs"
    left = progress.get("eta_s")
    return steps if left is None else f"{steps}, about {duration(left)} left"


def watch(experiment: ExperimentId, timeout: Timeout = None, as_json: JsonFlag = False) -> None:
    """Follows an experiment until its report is published.

    Example: assay watch 3f1c
    """
    run = _run(experiment)
    run.wait(timeout)
    raise typer.Exit(_finish(run, as_json))


def cancel(
    experiment: ExperimentId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Asks to stop an experiment; jobs that others want go on.

    Example: assay cancel 3f1c --reason "wrong snapshot"
    """
    from assay.api import Api

    run = _run(experiment)
    status = Api(run.settings).experiment(run.id)["status"] if run.settings.api_url else ""
    if status in ENDED:
        told = f"nothing to stop: the experiment has ended ({status})"
        emit({"experiment_id": run.id, "cancel": "not needed", "status": status}, as_json, lambda _: print(told))
        return
    run.cancel(reason)
    emit({"experiment_id": run.id, "cancel": "requested"}, as_json, lambda _: console().print("cancel requested"))


def retry(experiment: ExperimentId, as_json: JsonFlag = False) -> None:
    """Asks for an ended experiment again; what succeeded is reused.

    Example: assay retry 3f1c
    """
    from assay.api import Api

    run = _run(experiment)
    found = Api(run.settings).retry(run.id)
    emit(found, as_json, lambda answer: console().print(f"experiment {answer['id']}"))


def logs(
    job: Annotated[str, typer.Argument(help="The job's key, or its unambiguous beginning.")], as_json: JsonFlag = False
) -> None:
    """Prints the log of a job's latest attempt.

    `assay status` shows the keys of an experiment's jobs.

    Example: assay logs 9b2d41
    """
    from assay.api import Api
    from assay.lookup import find_job
    from assay.settings import load_settings

    api = Api(load_settings())
    key = find_job(api, job)
    emit({"job": key, "log": api.logs(key)}, as_json, lambda found: print(visible(as_last_drawn(found["log"]))))


def as_last_drawn(log: str) -> str:
    """A log as a terminal would have left it: of a line that was drawn again and again, such as a progress bar, the
    last."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in log.split("\n"))


def _run(experiment: str) -> Run:
    """The run of an id or of the beginning of one, watched from the time it was requested."""
    from assay.lookup import find_run

    return find_run(experiment)
