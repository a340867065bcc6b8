"""Shows experiments to people: progress bars, the verdict table, problems. Plain lines without a terminal.

Only formats; every number comes from the report document or the view.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_schemas.differences import against_control, duration, mean, price
from assay_schemas.ids import JobKind
from assay_schemas.problems import Problem
from assay_schemas.reports import Cell, ReportDocument
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from assay.view import ExperimentView, JobView

STAGES: dict[JobKind, str] = {"training": "training", "selection": "selection", "eval": "evaluation"}
MARKS = {
    "better": "▲ better",
    "worse": "▼ worse",
    "tied": "= tied",
    "underpowered": "? underpowered",
    "broken": "✗ broken",
}
STYLES = {"better": "green", "worse": "red", "tied": "cyan", "underpowered": "yellow", "broken": "bold red"}


def progress(view: ExperimentView) -> RenderableType:
    """The state of every stage, and the jobs that run now."""
    if view.rejected:
        return Text("Refused.", style="red")
    if not view.jobs:
        return Text("Waiting for the scheduler to take the experiment in …")
    table = Table.grid(padding=(0, 2))
    for kind, title in STAGES.items():
        table.add_row(*_stage(view, kind, title))
    running = [job for job in view.jobs.values() if job.state == "running"]
    return Group(table, *[Text(f"    {_running(job)}", style="dim") for job in running[:8]])


def progress_line(view: ExperimentView) -> str:
    """The same in one plain line, for logs and pipes."""
    if not view.jobs:
        return "waiting for the scheduler"
    return ", ".join(f"{title} {_done(view, kind)}/{_total(view, kind)}" for kind, title in STAGES.items())


def _stage(view: ExperimentView, kind: JobKind, title: str) -> tuple[RenderableType, ...]:
    counts, total = view.counts(kind), _total(view, kind)
    partial = sum(job.fraction for job in view.jobs.values() if job.kind == kind and job.state == "running")
    bar = ProgressBar(total=max(total, 1), completed=_done(view, kind) + partial, width=30)
    notes = [f"{counts[state]} {state}" for state in ("reused", "running", "failed", "cancelled") if counts[state]]
    return Text(title), bar, Text(f"{_done(view, kind)}/{total}"), Text(", ".join(notes), style="dim")


def _total(view: ExperimentView, kind: JobKind) -> int:
    return sum(view.counts(kind).values())


def _done(view: ExperimentView, kind: JobKind) -> int:
    counts = view.counts(kind)
    return counts["succeeded"] + counts["reused"] + counts["failed"] + counts["cancelled"]


def _running(job: JobView) -> str:
    left = f", about {duration(job.eta_s)} left" if job.eta_s is not None else ""
    again = f" (attempt {job.attempt})" if job.attempt > 1 else ""
    return f"{job.title}{again}: {job.message or f'{job.fraction:.0%}'}{left}"


def verdict_table(report: ReportDocument) -> Table:
    """Arms by benchmarks: the mean over seeds, its spread, the verdict against control and what it rests on."""
    table = Table(title=report.name, title_justify="left", title_style="bold")
    table.add_column("arm")
    for benchmark in report.benchmarks:
        table.add_column(heading(report, benchmark))
    cells = {(cell.arm, cell.benchmark): cell for cell in report.cells}
    apart = against_control(report)
    for arm in report.arms:
        shown = [_cell(cells.get((arm, name)), apart.get((arm, name), "")) for name in report.benchmarks]
        table.add_row(Text(arm, style="bold" if arm == "control" else ""), *shown)
    return table


def heading(report: ReportDocument, benchmark: str) -> str:
    """A benchmark's name, and below it its metric and which way is better."""
    verdict = next((one for one in report.verdicts if one.benchmark == benchmark), None)
    if verdict is None:
        return benchmark
    metric = "" if verdict.metric in ("", benchmark) else f"{verdict.metric.replace('_', ' ')}, "
    return f"{benchmark}\n{metric}{'higher' if verdict.higher_is_better else 'lower'} is better"


def score(cell: Cell) -> str:
    """`0.352 ± 0.012`: the mean over seeds and their standard deviation; where there is none, a dash or why."""
    if cell.mean is None:
        return "cancelled" if cell.cancelled else "–"
    return mean(cell.mean) + (f" ± {mean(cell.seed_sd)}" if cell.seed_sd is not None else "")


def _cell(cell: Cell | None, apart: str) -> Text:
    if cell is None:
        return Text("–")
    text = Text(score(cell))
    if cell.verdict:
        text.append(f"  {MARKS[cell.verdict]}", style=STYLES[cell.verdict])
    if apart:
        text.append(f"\n{apart}", style="dim")
    return text


def problem_list(problems: Sequence[Problem]) -> RenderableType:
    """Every problem: its field, what is wrong, and below it the mend."""
    parts: list[RenderableType] = []
    for problem in problems:
        parts.append(Text.assemble((f"  {problem.field}", "bold red"), f"  {problem.message}"))
        if problem.mend:
            parts.append(Text(f"      {problem.mend}", style="dim"))
    return Group(*parts)


def missing_lines(missing: Sequence[str]) -> list[str]:
    """What did not finish, once for all that say the same: `clean, seed 0; clean, seed 1: training was cancelled.`"""
    said: dict[str, list[str]] = {}
    for line in missing:
        who, _, what = line.partition(": ")
        said.setdefault(what or line, []).append(who)
    return [what if what in who else f"{'; '.join(who)}: {what}" for what, who in said.items()]


def show_report(report: ReportDocument, console: Console) -> None:
    """The verdict in a sentence, the table, what is missing, and what to try next."""
    console.print(Text(report.sentence, style="bold"))
    console.print(verdict_table(report))
    for answer in report.answers:
        console.print(Text(answer))
    if report.findings:
        console.print(Text("What stands out", style="bold"))
        for finding in report.findings:
            console.print(Text(f"  • {finding.text}"))
    console.print(f"{report.jobs} jobs, {report.reused} of them reused; {price(report)}.")
    for line in missing_lines(report.missing):
        console.print(Text(f"missing: {line}", style="yellow"))
    if report.next_steps:
        console.print(Text("What to try next", style="bold"))
        for step in report.next_steps:
            console.print(Text(f"  • {step}"))
