"""`assay dlq`: records that no service could take, with the reason."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assay.cli.output import JsonFlag, emit, rows

app = typer.Typer(help="Records that were refused, with the reason.", no_args_is_help=True)


@app.callback()
def _dead_letters() -> None:
    """Records that were refused, with the reason."""


@app.command(name="list")
def list_(
    topic: Annotated[str | None, typer.Argument(help="Only this topic's dead letters.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Lists dead letters: where each came from, and why it was refused.

    Example: assay dlq list experiment.requested
    """
    from assay.blocking import run_blocking
    from assay.settings import load_settings

    found = run_blocking(_letters(load_settings(), topic))
    columns = {
        "topic": "topic",
        "source": "partition/offset",
        "service": "service",
        "reason": "reason",
        "value": "begins",
    }
    emit(found, as_json, lambda items: rows(items, columns, "No dead letters."))


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
    return found


def _letter(record: Any) -> dict[str, Any]:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    return {
        "topic": record.topic.removesuffix(".dlq"),
        "source": headers.get("assay_source", ""),
        "service": headers.get("assay_service", ""),
        "error": headers.get("assay_error_class", ""),
        "reason": headers.get("assay_reason", ""),
        "value": (record.value or b"")[:60].decode(errors="replace"),
    }
