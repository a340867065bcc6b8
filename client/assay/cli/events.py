"""`assay events`: the events themselves, as they pass by."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from assay.cli.output import JsonFlag, console

app = typer.Typer(help="The events themselves.", no_args_is_help=True)


@app.callback()
def _events() -> None:
    """The events themselves."""


@app.command()
def tail(
    topics: Annotated[list[str] | None, typer.Argument(help="Topics; default all.")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest kept event.")] = False,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many events; 0 goes on.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Prints events as they come. One line each; with --json the whole event.

    Example: assay events tail training.completed eval.completed
    """
    from assay.blocking import run_blocking
    from assay.settings import load_settings

    run_blocking(_tail(load_settings(), topics or [], from_start, count, as_json))


async def _tail(settings: object, topics: list[str], from_start: bool, count: int, as_json: bool) -> None:
    from assay_schemas.problems import nearest
    from assay_schemas.topics import TOPICS
    from assay_schemas.visible import unturned_json

    from assay import stream
    from assay.errors import NotFound
    from assay.settings import ClientSettings

    assert isinstance(settings, ClientSettings)
    for topic in topics:
        if topic not in TOPICS:
            raise NotFound(f"There is no topic {topic!r}. {nearest(topic, TOPICS)}")
    since = None if from_start else datetime.now(UTC)
    shown = 0
    async for event in stream.events(settings, topics or list(TOPICS), since):
        if event is None:
            continue
        if as_json:
            print(unturned_json(json.dumps(event.model_dump(mode="json"), ensure_ascii=False)), flush=True)
        else:
            console().print(f"{event.time:%H:%M:%S}  {event.type:28} {event.key[:8]:8} {_gist(event.data)}")
        shown += 1
        if shown == count:
            return


def _gist(data: dict[str, object]) -> str:
    names = ("outcome", "phase", "step", "total", "attempt", "name", "jobs", "reused", "sentence", "reason")
    return ", ".join(f"{name} {data[name]}" for name in names if data.get(name) not in (None, ""))
