"""The `assay` command: one file for each group of commands, registered here.

Nothing heavy is imported before a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Any

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

USAGE_ERROR: Any = typer.BadParameter.__base__  # typer has no public name for it
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
    """Runs the command; an expected error is one message and exit code 1, never a traceback. With --json anywhere it
    is a JSON object, also where the command itself is not understood."""
    from assay.errors import AssayError

    as_json = "--json" in sys.argv
    try:
        sys.exit(app(standalone_mode=not as_json))
    except USAGE_ERROR as error:
        how = f" `{error.ctx.command_path} --help` shows how it is used." if error.ctx else ""
        fail(AssayError(f"{error.format_message()}{how}"), as_json)
        sys.exit(error.exit_code)
    except AssayError as error:
        sys.exit(fail(error, as_json))
    except OSError as error:  # a disk that is full, a file of somebody else's
        told = AssayError(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.")
        sys.exit(fail(told, as_json))
    except KeyboardInterrupt:
        sys.exit(130)
