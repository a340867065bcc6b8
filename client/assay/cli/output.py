"""What every command prints goes through here: people's form, or one JSON document with --json.

Results go to standard output, progress and errors to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from textwrap import fill
from typing import Annotated, Any

import typer
from assay_schemas.visible import unturned, unturned_json

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
ExperimentId = Annotated[str, typer.Argument(help="The experiment's id, or its unambiguous beginning.")]

WIDTH_OF_FILES = 1000  # a file or pipe is read by line: nothing is broken where no terminal says how wide it is
PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | dict.fromkeys(
    range(127, 160), "�"
)
INDENT = "    "
EXIT_INVALID, EXIT_FAILED, EXIT_CANCELLED = 2, 3, 5


def emit(value: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    """Prints a value as JSON, or shows it to people."""
    if as_json:
        print(unturned_json(json.dumps(value, default=str, ensure_ascii=False, indent=2)))
    else:
        show(value)


def visible(text: str) -> str:
    """Text of models and strangers without its commands to a terminal: an escape is shown as ␛, and does nothing, and
    so with what would turn the text around it."""
    return unturned(text).translate(PICTURES)


def console(*, stderr: bool = False) -> Any:
    from assay.cli.terminal import Terminal

    # What is printed comes from elsewhere: names and reasons may hold brackets, which are no markup.
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if terminal or "COLUMNS" in os.environ else WIDTH_OF_FILES
    return Terminal(stderr=stderr, highlight=False, markup=False, width=width)


def rows(items: Iterable[Mapping[str, Any]], columns: Mapping[str, str], empty: str, *, sentences: str = "") -> None:
    """A table of mappings: `columns` maps each key to its heading. Where the lines are longer than the terminal, the
    column `sentences` stands below its row, once for rows in succession that say the same."""
    from rich.measure import Measurement

    listed = list(items)
    out = console()
    if not listed:
        out.print(empty)
        return
    table = _table(listed, columns)
    unbounded = out.options.update(max_width=WIDTH_OF_FILES)
    if not sentences or Measurement.get(out, unbounded, table).maximum <= out.width:
        out.print(table)
        return
    for line in _in_two_lines(listed, columns, sentences, out.width):
        out.print(line, soft_wrap=True)


def _table(items: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(columns.values()):
        table.add_column(heading, no_wrap=place == 0)
    for item in items:
        table.add_row(*(_cell(item, key) for key in columns))
    return table


def _cell(item: Mapping[str, Any], key: str) -> str:
    """As it is shown, so that columns are as wide as what stands in them."""
    return "" if item.get(key) is None else visible(str(item[key]))


def _in_two_lines(
    items: Sequence[Mapping[str, Any]], columns: Mapping[str, str], sentences: str, width: int
) -> Iterator[Any]:
    """The other columns in a line, below it the sentences, indented."""
    from rich.text import Text

    short = {key: heading for key, heading in columns.items() if key != sentences}
    wide = {key: max(len(heading), *(len(_cell(item, key)) for item in items)) for key, heading in short.items()}
    yield Text("  ".join(heading.ljust(wide[key]) for key, heading in short.items()).rstrip(), style="bold")
    before = ""
    for item in items:
        yield Text("  ".join(_cell(item, key).ljust(wide[key]) for key in short).rstrip())
        said = _cell(item, sentences)
        if said and said != before:
            yield Text(fill(said, width, initial_indent=INDENT, subsequent_indent=INDENT), style="dim")
        before = said


def fail(error: Exception, as_json: bool = False) -> int:
    """Prints an expected error and returns the exit code: 2 when there are problems to mend."""
    from assay.errors import Refused

    if as_json:
        problems = [one.model_dump() for one in error.problems] if isinstance(error, Refused) else []
        emit({"error": str(error), "problems": problems}, as_json, print)
    elif isinstance(error, Refused):
        from rich.text import Text

        from assay.display import problem_list

        again = "submit it again" if error.what == "experiment" else "try again"
        head = Text.assemble((f"The {error.what} was refused.", "bold red"), f" Mend these and {again}:")
        console(stderr=True).print(head)
        console(stderr=True).print(problem_list(error.problems))
    else:
        print(f"assay: {visible(str(error))}", file=sys.stderr)
    return EXIT_INVALID if isinstance(error, Refused) else 1
