"""Commands that read what came out: the report, and the responses behind it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from assay.cli.output import ExperimentId, JsonFlag, console, emit, visible


class Form(StrEnum):
    html = "html"
    md = "md"
    json = "json"


def register(app: typer.Typer) -> None:
    app.command()(report)
    app.command()(responses)


def report(
    experiment: ExperimentId,
    form: Annotated[Form, typer.Option("--format", help="html, md or json.")] = Form.md,
    open_: Annotated[bool, typer.Option("--open", help="Open the HTML report in a browser.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Prints an experiment's report.

    Example: assay report 3f1c --format md
    """
    from assay.lookup import find_run

    run = find_run(experiment)
    if open_:
        import webbrowser

        uri = run.report_uri("html")
        run.report_text("html")
        webbrowser.open(uri if uri.startswith("file://") else run.url)
        emit({"report": uri}, as_json, lambda _: console().print(uri, soft_wrap=True))
        return
    text = run.report_text("json" if as_json else form.value)
    print(visible(text) if sys.stdout.isatty() else text)


def responses(
    experiment: ExperimentId,
    benchmark: Annotated[str, typer.Option(help="Which benchmark's responses.")],
    flips: Annotated[bool, typer.Option("--flips", help="Only items scored otherwise than control's.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="How many to show; 0 shows all.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Shows responses beside control's.

    With --flips those that changed, losses first.

    Example: assay responses 3f1c --benchmark numeric --flips
    """
    from assay.lookup import find_run

    run = find_run(experiment)
    frame = run.responses(benchmark, flips=flips)
    shown = frame if limit == 0 else frame.head(limit)

    def show(_: object) -> None:
        for row in shown.to_dict(orient="records"):
            _show_response(row)
        if frame.empty:
            console().print(_nothing(benchmark, flips))
        if len(shown) < len(frame):
            console().print(
                f"{len(frame) - len(shown)} more; --limit 0 shows all. {_page(run.url, benchmark, flips)}", style="dim"
            )

    emit(_listed(shown), as_json, show)


def _page(url: str, benchmark: str, flips: bool) -> str:
    """The page that shows the same; nothing where no address is known."""
    return f"{url}/responses?benchmark={quote(benchmark)}&only={'flips' if flips else 'all'}" if url else ""


def _nothing(benchmark: str, flips: bool) -> str:
    """Why no response is shown: `--flips` may have left none, and an experiment without results has none."""
    if flips:
        return f"No response on {benchmark} scores otherwise than control's; without --flips all of them are shown."
    return f"There is no response on {benchmark}: no evaluation on it succeeded."


def _listed(frame: Any) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: what is missing, such as a failed item's score, is null."""
    return list(frame.astype(object).where(frame.notna(), None).to_dict(orient="records"))


def _show_response(row: Mapping[Any, Any]) -> None:
    from rich.text import Text

    out = console()
    who = row["arm"] if row["seed"] < 0 else f"{row['arm']}, seed {row['seed']}"
    out.print(Text(f"{row['item_id']}  {who}", style="bold"))
    out.print(Text(str(row["prompt"]).strip(), style="dim"))
    out.print(Text(f"  target   {row['target']}"))
    if "control_response" in row:
        out.print(Text(f"  control  {_score(row['control_score'])}  {str(row['control_response']).strip()}"))
    out.print(Text(f"  arm      {_score(row['score'])}  {str(row['response']).strip()}\n"))


def _score(value: float | None) -> str:
    return "failed" if value is None or value != value else f"{value:.3g}"
