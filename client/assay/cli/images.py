"""`assay images`: which versions of engine and harness can be asked for, and how another is put beside them.

Never installs anything: an environment is made by its own tools and only declared here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.output import JsonFlag, console, emit, rows

app = typer.Typer(help="Versions of the training engine and of the evaluation harness.", no_args_is_help=True)
COLUMNS = {"kind": "", "version": "version", "default": "", "where": "where", "libraries": "libraries"}
Python = Annotated[Path, typer.Argument(help="The interpreter of the environment, such as /opt/engine-2/bin/python.")]
Image = Annotated[str, typer.Option(help="The image that has it on a cluster.")]


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """Lists the versions that can be asked for, with their libraries.

    Example: assay images list
    """
    from assay.api import Api
    from assay.settings import load_settings

    found = Api(load_settings()).versions()
    emit(found, as_json, lambda listed: rows(map(_shown, listed), COLUMNS, "There are none."))


@app.command()
def add(python: Python, image: Image = "", as_json: JsonFlag = False) -> None:
    """Declares engine and harness of another Python environment. It is asked what it has.

    Example: assay images add /opt/engine-2/bin/python
    """
    from assay.environments import add_environment, versions_file

    added = add_environment(python, image or None)

    def show(listed: list[dict[str, Any]]) -> None:
        for one in listed:
            console().print(f"{one['kind']} {one['version']} can be asked for ({versions_file()}).")

    emit([one.model_dump(mode="json") for one in added.versions], as_json, show)
    for one in added.lacking:
        console(stderr=True).print(f"Not declared: {one}.")


@app.command()
def remove(
    kind: Annotated[str, typer.Argument(help="engine or harness")],
    version: Annotated[str, typer.Argument(help="Its version.")],
    as_json: JsonFlag = False,
) -> None:
    """Takes a declared version back; results that it made stay.

    Example: assay images remove engine 2
    """
    from assay.environments import remove_environment

    remove_environment(kind, version)
    removed = {"kind": kind, "version": version}
    emit(removed, as_json, lambda _: console().print(f"{kind} {version} can no longer be asked for."))


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    libraries = ", ".join(f"{name} {version}" for name, version in one["libraries"].items())
    return {**one, "default": "default" if one["default"] else "", "libraries": libraries}
