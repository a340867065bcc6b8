"""The `assay` command: one file for each group of commands, registered here.

Nothing heavy is imported before a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from assay.cli import (
    benchmarks,
    budget,
    data,
    dead_letters,
    events,
    experiments,
    gate,
    images,
    regression,
    reports,
    rescoring,
    system,
)
from assay.cli.output import fail

app = typer.Typer(
    name="assay",
    help="Tells whether training data is good, by training on it.\n\nExample: assay submit experiment.yaml --wait",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its panels would double the time of `assay --help`
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (system, experiments, reports, benchmarks, budget, gate, rescoring, regression):
    group.register(app)
app.add_typer(data.app, name="data")
app.add_typer(images.app, name="images")
app.add_typer(events.app, name="events")
app.add_typer(dead_letters.app, name="dlq")


def main() -> None:
    """Runs the command; an expected error is one message and exit code 1, never a traceback."""
    from assay.errors import AssayError

    try:
        app()
    except AssayError as error:
        sys.exit(fail(error, as_json="--json" in sys.argv))
    except OSError as error:  # a disk that is full, a file of somebody else's
        told = AssayError(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.")
        sys.exit(fail(told, as_json="--json" in sys.argv))
    except KeyboardInterrupt:
        sys.exit(130)
