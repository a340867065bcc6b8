"""`assay dlq`: records that no service could take, with the reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from assay.cli.output import JsonFlag, console, emit

app = typer.Typer(help="Records that were refused, with the reason.", no_args_is_help=True)


@app.callback()
def _dead_letters() -> None:
    """Records that were refused, with the reason."""


@app.command(name="list")
def list_(
    topic: Annotated[str | None, typer.Argument(help="Only this topic's dead letters.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest; 0 shows all.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Lists dead letters: which record, who refused it, and why.

    Example: assay dlq list experiment.requested
    """
    from rich.text import Text

    from assay.blocking import run_blocking
    from assay.settings import load_settings

    found = run_blocking(_letters(load_settings(), topic))
    shown = found[-limit:] if limit else found

    def show(letters: list[dict[str, Any]]) -> None:
        for letter in letters:
            console().print(
                Text.assemble((letter["record"], "bold"), f"  refused by {letter['service']}: {letter['reason']}")
            )
            console().print(Text(f"    {letter['value']}", style="dim"))
        console().print(f"{len(letters)} of {len(found)} dead letters." if found else "No dead letters.")

    emit(shown, as_json, show)


async def _letters(settings: Any, topic: str | None) -> list[dict[str, Any]]:
    from assay_schemas.problems import nearest
    from assay_schemas.topics import TOPICS, dead_letter_topic

    from assay import stream
    from assay.errors import NotFound

    if topic is not None and topic not in TOPICS:
        raise NotFound(f"There is no topic {topic!r}. {nearest(topic, TOPICS)}")
    topics = [dead_letter_topic(name) for name in ([topic] if topic else TOPICS)]
    found = []
    async for record in stream.records(settings, topics, follow=False):
        if record is not None:
            found.append(_letter(record))
    return sorted(found, key=lambda letter: letter["at"])


def _letter(record: Any) -> dict[str, Any]:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    return {
        "topic": record.topic.removesuffix(".dlq"),
        "record": headers.get("assay_source", ""),
        "at": datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat(timespec="seconds"),
        "service": headers.get("assay_service", ""),
        "error": headers.get("assay_error_class", ""),
        "reason": headers.get("assay_reason", ""),
        "value": (record.value or b"")[:60].decode(errors="replace"),
    }
