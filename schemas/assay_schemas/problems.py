"""What is wrong with an input, in words its author can act on: all of it at once, field by field.

Turns pydantic's errors into problems; never raises for a bad input itself.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Union

from pydantic import BaseModel, ConfigDict, ValidationError


class Problem(BaseModel):
    """One thing to mend: the field's path (dots, list positions from 0), what is wrong, and the mend."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" + (f" {self.mend}" if self.mend else "")


class InvalidSpecification(Exception):
    """The specification has problems; they are all listed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(map(str, self.problems)))


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that points at the closest known name, or lists what is known when none is close."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"Known: {shown}." if names else ""


def problems_of(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[Problem]:
    """Every pydantic error as a problem; `prefix` is put before each field's path."""
    return [_problem(entry, model, prefix) for entry in error.errors(include_url=False)]


def joined(prefix: str, *parts: str | int) -> str:
    return ".".join(str(part) for part in (prefix, *parts) if part != "")


def _problem(entry: Any, model: type[BaseModel], prefix: str) -> Problem:
    location = tuple(part for part in entry["loc"] if not _is_union_tag(part))
    field = joined(prefix, *location) or "(whole document)"
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "extra_forbidden":
        owner = _model_at(model, location[:-1])
        return Problem(
            field=field,
            message="is not a known key.",
            mend=nearest(str(location[-1]), owner.model_fields if owner else ()),
        )
    if kind == "missing":
        return Problem(field=field, message="is required.", mend="Add it.")
    if kind == "literal_error":
        given = entry.get("input")
        options = [part.strip("'\"") for part in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return Problem(field=field, message=f"{given!r} is not known.", mend=nearest(str(given), options))
    message = str(context.get("error", entry["msg"])) if kind == "value_error" else entry["msg"]
    return Problem(field=field, message=f"{message[:1].lower()}{message[1:].rstrip('.')}.", mend=_given(entry))


def _given(entry: Any) -> str:
    shown = repr(entry.get("input"))
    return f"Given: {shown if len(shown) <= 80 else shown[:77] + '…'}."


def _is_union_tag(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part in {"int", "str", "list", "constrained-int"})


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in location:
        if current is None:
            return None
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part)
        current = _model_in(field.annotation) if field else None
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (list, tuple, dict, Union, types.UnionType, typing.Annotated):
        for argument in typing.get_args(annotation):
            found = _model_in(argument)
            if found is not None:
                return found
    return None
