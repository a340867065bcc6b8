"""`assay dlq`: records that no service could take, with the reason, and what to do about each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import JsonFlag, console, emit

if TYPE_CHECKING:
    from assay.dead_letters import Letter

app = typer.Typer(help="Records that were refused, with the reason.", no_args_is_help=True)
LetterId = Annotated[str, typer.Argument(help="The letter's id, as `assay dlq list` shows it.")]


@app.callback()
def _dead_letters() -> None:
    """Records that were refused, with the reason."""


@app.command(name="list")
def list_(
    topic: Annotated[str | None, typer.Argument(help="Only this topic's dead letters.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many, the newest; 0 shows all.")] = 20,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were replayed or dropped.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Lists dead letters: which record, who refused it, and why.

    Example: assay dlq list experiment.requested
    """
    from rich.text import Text

    from assay.blocking import run_blocking
    from assay.dead_letters import letters
    from assay.settings import load_settings

    found = [one for one in run_blocking(letters(load_settings(), topic)) if all_ or one.state == "open"]
    shown = [_listed(letter) for letter in (found[-limit:] if limit else found)]

    def show(letters: list[dict[str, Any]]) -> None:
        for letter in letters:
            state = "" if letter["state"] == "open" else f"  ({letter['state']})"
            refusal = f"  refused by {letter['service']}: {letter['reason']}{state}"
            console().print(Text.assemble((letter["id"], "bold"), refusal))
            console().print(Text(f"    {letter['value'] or '(nothing)'}", style="dim"))
        console().print(f"{len(letters)} of {len(found)} dead letters." if found else "No dead letters.")

    emit(shown, as_json, show)


@app.command()
def show(letter: LetterId, as_json: JsonFlag = False) -> None:
    """Shows a dead letter whole. The record as it came, the reason, and what was decided about it.

    Example: assay dlq show experiment.requested.dlq/0/3
    """
    from assay.blocking import run_blocking
    from assay.dead_letters import find
    from assay.settings import load_settings

    _emit(run_blocking(find(load_settings(), letter)), as_json)


@app.command()
def replay(
    letter: LetterId,
    again: Annotated[bool, typer.Option("--again", help="Also where it was replayed or dropped before.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Sends the record once more to the topic it came from, as it came. Who did so, and when, is kept with the letter.

    Example: assay dlq replay experiment.requested.dlq/0/3
    """
    from assay.blocking import run_blocking
    from assay.dead_letters import replay
    from assay.settings import load_settings

    _emit(run_blocking(replay(load_settings(), letter, again=again)), as_json)


@app.command()
def drop(letter: LetterId, as_json: JsonFlag = False) -> None:
    """Notes that nothing is to be done about a dead letter. The list no longer shows it; it stays as it is.

    Example: assay dlq drop experiment.requested.dlq/0/3
    """
    from assay.blocking import run_blocking
    from assay.dead_letters import drop
    from assay.settings import load_settings

    _emit(run_blocking(drop(load_settings(), letter)), as_json)


def _emit(letter: Letter, as_json: bool) -> None:
    def show(whole: dict[str, Any]) -> None:
        for name in ("id", "state", "record", "at", "service", "error", "reason", "key"):
            console().print(f"{name:8} {whole[name]}")
        for name, value in whole["headers"].items():
            console().print(f"header   {name}: {value}")
        for one in whole["decisions"]:
            console().print(f"{one['at']}  {one['action']}, by {one['by']}")
        console().print(whole["value"], soft_wrap=True)

    emit(_whole(letter), as_json, show)


def _listed(letter: Letter) -> dict[str, Any]:
    from assay_schemas.letters import ERROR_CLASS, REASON, SERVICE, SOURCE

    return {
        "id": letter.id,
        "state": letter.state,
        "topic": letter.topic,
        "record": letter.mark(SOURCE),
        "at": datetime.fromtimestamp(letter.record.timestamp_ms / 1000, UTC).isoformat(timespec="seconds"),
        "service": letter.mark(SERVICE),
        "error": letter.mark(ERROR_CLASS),
        "reason": letter.mark(REASON),
        "value": (letter.record.value or b"")[:60].decode(errors="replace"),
    }


def _whole(letter: Letter) -> dict[str, Any]:
    return {
        **_listed(letter),
        "key": (letter.record.key or b"").decode(errors="replace"),
        "headers": {name: (value or b"").decode(errors="replace") for name, value in letter.record.headers},
        "decisions": [
            {"at": one.at.isoformat(timespec="seconds"), "action": one.action, "by": one.by} for one in letter.decisions
        ],
        "value": (letter.record.value or b"").decode(errors="replace"),
    }
