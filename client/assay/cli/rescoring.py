"""`assay rescore`: stored responses judged again by another extraction, comparison or strictness."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.output import JsonFlag, emit, rows

COLUMNS = {"arm": "arm", "seed": "seed", "before": "before", "after": "after", "change": "change",
           "gained": "gained", "lost": "lost", "failed": "failed", "items": "items"}  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command()(rescore)


def rescore(
    source: Annotated[str, typer.Argument(help="A samples file (Parquet), or an experiment's id.")],
    scorer: Annotated[str, typer.Option(help="numeric, exact_match, …, or `stored` for another stored value.")],
    options: Annotated[list[str] | None, typer.Option("--set", help="OPTION=VALUE of the scorer; repeat it.")] = None,
    benchmark: Annotated[str | None, typer.Option(help="Which benchmark's responses, of an experiment.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the re-scored files; nothing is overwritten.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Judges stored responses again, without a model.

    Says the means before and after, and which responses were gained and lost.

    Example: assay rescore 3f1c --benchmark gsm8k --scorer numeric --set 'extract=#### (\\S+)'
    """
    from assay.errors import AssayError
    from assay.lookup import find_run
    from assay.rescoring import Wanted, rescore_files, rescore_run

    wanted = Wanted(scorer, options or [], output)
    if Path(source).is_file():
        found = rescore_files([Path(source)], wanted)
    elif benchmark is None:
        raise AssayError(f"{source} is no file; for an experiment give --benchmark as well.")
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = rescore_run(find_run(source), benchmark, wanted, Path(folder))
    emit(found, as_json, _show)


def _show(found: list[dict[str, Any]]) -> None:
    shown = [
        {**one, "arm": one.get("arm") or Path(one["file"]).name, "change": _points(one)}
        | {side: _number(one[side]) for side in ("before", "after")}
        for one in found
    ]
    rows(shown, COLUMNS, "Nothing to score.")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _points(change: dict[str, Any]) -> str:
    before, after = change["before"], change["after"]
    return "" if before is None or after is None else f"{after - before:+.4f}".replace("-", "−")
