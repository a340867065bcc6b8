"""`assay data`: snapshots of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.output import JsonFlag, console, emit

app = typer.Typer(help="Datasets and their snapshots.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Datasets and their snapshots."""


@app.command()
def snapshot(
    path: Annotated[Path, typer.Argument(help="A JSONL or Parquet file.", exists=True, dir_okay=False)],
    publish: Annotated[bool, typer.Option("--publish", help="Publish dataset.published as well.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Stores a dataset as an immutable snapshot. Prints its sha256: location.

    Images that rows name (columns image, images, image_1 to image_9; paths from the file's folder) are stored with it.

    Example: assay data snapshot rows.jsonl
    """
    from assay.locations import snapshot as store_snapshot
    from assay.rows import read_rows
    from assay.settings import load_settings
    from assay.store import Store

    settings = load_settings()
    rows = read_rows(path)
    location = store_snapshot(rows, Store(settings), path.name, path.parent)
    if publish:
        from assay.rows import publish_snapshot

        publish_snapshot(settings, location, len(rows), path.name)
    found: dict[str, Any] = {"dataset": location, "rows": len(rows)}
    emit(found, as_json, lambda _: console().print(f"{location}  ({len(rows)} rows)", soft_wrap=True))
