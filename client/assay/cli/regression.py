"""`assay regress` and `assay canary`: this installation's evaluations against published figures, and their own past."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from assay.cli.output import JsonFlag, console, emit, rows

PACKAGE = "assay_evaluator"
SLOWEST_S = 24 * 3600
COLUMNS = {"status": "", "name": "what", "figure": "published", "measured": "here", "tolerance": "±", "reason": ""}


def register(app: typer.Typer) -> None:
    for command in (regress, canary):
        app.command()(command)


def regress(
    only: Annotated[str, typer.Option(help="Only rows whose name contains this.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Reproduces published figures, where model and data are here.

    The others are listed as not run.

    Example: assay regress --only gsm8k
    """
    from assay.errors import AssayError

    found, code = _ask("regression", "--only", only)
    if not found:
        raise AssayError(f"No row's name contains {only!r}. `assay regress` lists all of them.")
    emit(found, as_json, lambda listed: rows(listed, COLUMNS, ""))
    raise typer.Exit(code)


def canary(as_json: JsonFlag = False) -> None:
    """Has the harness drifted? Asks a fixed tiny model again.

    Example: assay canary
    """
    console(stderr=True).print("Asking again, for some ten seconds …", style="dim")
    found, code = _ask("canary", quiet=True)

    def show(answer: dict[str, Any]) -> None:
        for change in answer["changes"]:
            console().print(change)
        changed = len(answer["changes"])
        console().print(f"{changed} values changed." if changed else "No response changed.")

    emit(found, as_json, show)
    raise typer.Exit(code)


def _ask(module: str, *arguments: str, quiet: bool = False) -> tuple[Any, int]:
    """The JSON document and exit code of a module of the evaluator's package, which the client does not import.

    `quiet`: what the harness says meanwhile is shown only where there is no result."""
    from assay.errors import AssayError

    if find_spec(PACKAGE) is None:
        raise AssayError("The evaluator's package is not installed here; install services/evaluator.")
    command = [sys.executable, "-m", f"{PACKAGE}.{module}", *arguments]
    said = subprocess.PIPE if quiet else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=said, text=True, timeout=SLOWEST_S, check=False)
    if not done.stdout.strip():
        sys.stderr.write(done.stderr or "")
        raise AssayError(f"{PACKAGE}.{module} ended with code {done.returncode} and no result.")
    return json.loads(done.stdout), done.returncode
