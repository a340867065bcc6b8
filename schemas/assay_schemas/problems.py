"""What is wrong with an input, in words its author can act on: all of it at once, field by field.

Turns pydantic's errors into problems; never raises for a bad input itself.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Union

from pydantic import BaseModel, ConfigDict, ValidationError

WHOLE_DOCUMENT = "(whole document)"
UNKNOWN_KEY = "is not a known key."
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
SINK_PATTERN = r"^(slack|webhook|email):[A-Za-z0-9][A-Za-z0-9._-]*$"


class Problem(BaseModel):
    """One thing to mend: the field's path (dots, list positions from 0), what is wrong, and the mend."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" + (f" {self.mend}" if self.mend else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that points at the closest known name, or lists what is known when none is close."""
    names = tuple(sorted(set(known)))
    close = _closest(name, names)
    if close is not None:
        return f"Did you mean {close!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"Known: {shown}." if names else ""


@lru_cache(maxsize=512)
def _closest(name: str, names: tuple[str, ...]) -> str | None:
    """Remembered, because to compare with thousands of names takes milliseconds, and a document may repeat one."""
    # Names whose lengths differ by more than this cannot be as similar as the cutoff asks.
    alike = [known for known in names if 3 * len(name) <= 7 * len(known) and 3 * len(known) <= 7 * len(name)]
    return next(iter(difflib.get_close_matches(name, alike, n=1, cutoff=0.6)), None)


def problems_of(
    error: ValidationError, model: type[BaseModel], prefix: str = "", forms: Mapping[str, str] = MappingProxyType({})
) -> list[Problem]:
    """Every pydantic error as a problem; `prefix` is put before each field's path. `forms` are examples of how a field
    is written, by its path with `*` for places in lists, for those who gave it in another form."""
    return [_problem(entry, model, prefix, forms) for entry in error.errors(include_url=False)]


def every_problem(model: type[BaseModel], values: Mapping[str, Any]) -> list[Problem]:
    """Everything wrong with values of a model, also what only shows once keys that nobody knows are taken away."""
    found: dict[str, Problem] = {}
    left: Any = dict(values)
    while problems := _problems_in(model, left):
        unknown = [one.field for one in problems if one.message == UNKNOWN_KEY and one.field not in found]
        found |= {one.field: one for one in problems if one.field not in found}
        if not unknown:
            break
        for field in unknown:
            left = pruned(left, field.split("."))
    if WHOLE_DOCUMENT not in found and (words := at_odds(model, values)):
        found[WHOLE_DOCUMENT] = Problem(field=WHOLE_DOCUMENT, message=f"{words}.")
    return list(found.values())


def at_odds(model: type[BaseModel], values: Mapping[str, Any]) -> str:
    """What to say of the first two keys, of a model's `EITHER`, that are given together; empty where none are.

    Pydantic asks a model as a whole only once each of its fields is right."""
    pairs: Sequence[tuple[str, str]] = getattr(model, "EITHER", ())
    given = (pair for pair in pairs if all(values.get(name) is not None for name in pair))
    return next((f"give {one} or {other}, not both" for one, other in given), "")


def _problems_in(model: type[BaseModel], values: Any) -> list[Problem]:
    try:
        model.model_validate(values)
    except ValidationError as error:
        return problems_of(error, model)
    return []


def pruned(value: Any, path: Sequence[str]) -> Any:
    """The value without what a path leads to. A path that leads nowhere (a key with a dot in it, or without a name)
    prunes nothing."""
    head, *rest = path
    if isinstance(value, list) and rest:
        return [pruned(item, rest) if str(place) == head else item for place, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if not rest:
        return {key: item for key, item in value.items() if key != head}
    return {key: pruned(item, rest) if key == head else item for key, item in value.items()}


def in_one_line(error: ValidationError) -> str:
    """Every error with its field and the mend, without what was given: `inputs.seed: is required. Add it; ...`."""
    return "; ".join(str(_untold(entry)).removesuffix(".") for entry in error.errors(include_url=False))


def _untold(entry: Any) -> Problem:
    """A problem that repeats nothing of what was given, which may be a secret."""
    field, kind = _field(entry, ""), entry["type"]
    if kind == "extra_forbidden":
        return Problem(field=field, message=UNKNOWN_KEY, mend="Take it out.")
    if kind == "missing":
        return Problem(field=field, **_MISSING)
    if kind == "literal_error":
        return Problem(field=field, message="is not known.", mend=f"Known: {', '.join(_options(entry))}.")
    return Problem(field=field, message=_message(entry))


def joined(prefix: str, *parts: str | int) -> str:
    return ".".join(str(part) for part in (prefix, *parts) if part != "")


def _problem(entry: Any, model: type[BaseModel], prefix: str, forms: Mapping[str, str]) -> Problem:
    location, field = _location(entry), _field(entry, prefix)
    kind, given = entry["type"], entry.get("input")
    if kind == "extra_forbidden":
        owner = _model_at(model, location[:-1])
        mend = nearest(str(location[-1]), owner.model_fields if owner else ())
        return Problem(field=field, message=UNKNOWN_KEY, mend=mend)
    if kind == "missing":
        return Problem(field=field, **_MISSING)
    if kind == "literal_error":
        return Problem(field=field, message=f"{shown(given)} is not known.", mend=nearest(str(given), _options(entry)))
    form = forms.get(".".join("*" if isinstance(part, int) else part for part in location))
    example = f" Write {form}." if form is not None and kind in _OTHER_FORM else ""
    return Problem(field=field, message=_message(entry), mend=f"Given: {shown(given)}.{example}")


def _field(entry: Any, prefix: str) -> str:
    return joined(prefix, *_location(entry)) or WHOLE_DOCUMENT


def _location(entry: Any) -> tuple[str | int, ...]:
    """Where an error is, without the names of a union's members. A key that looks like one is still the key given."""
    whole: tuple[str | int, ...] = entry["loc"]
    return (*(part for part in whole[:-1] if not _is_union_tag(part)), *_last(entry["type"], whole[-1:]))


_MISSING = {"message": "is required.", "mend": "Add it."}
_OTHER_FORM = frozenset({"list_type", "dict_type", "model_type", "model_attributes_type", "too_short"})


def _last(kind: str, part: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return part if kind == "extra_forbidden" or not part or not _is_union_tag(part[0]) else ()


def _options(entry: Any) -> list[str]:
    return [part.strip("'\"") for part in str(entry["ctx"]["expected"]).replace(" or ", ", ").split(", ")]


_MESSAGES: Mapping[str, str] = {
    "greater_than": "must be more than {gt}.",
    "greater_than_equal": "must be at least {ge}.",
    "less_than": "must be less than {lt}.",
    "less_than_equal": "must be at most {le}.",
    "too_short": "needs at least {min_length} entry; it has {actual_length}.",
    "too_long": "takes at most {max_length} entries; it has {actual_length}.",
    "string_too_short": "must not be empty.",
    "string_too_long": "takes at most {max_length} characters.",
    "value_error": "{error}.",
    "string_type": "must be text.",
    "int_type": "must be a whole number.",
    "int_parsing": "must be a whole number.",
    "int_from_float": "must be a whole number.",
    "float_type": "must be a number.",
    "float_parsing": "must be a number.",
    "bool_type": "must be true or false.",
    "bool_parsing": "must be true or false.",
    "list_type": "must be a list.",
    "dict_type": "must be a mapping of keys.",
    "model_type": "must be a mapping of keys.",
    "model_attributes_type": "must be a mapping of keys.",
    "datetime_type": "must be a time such as 2026-01-31T12:00:00Z.",
    "datetime_parsing": "must be a time such as 2026-01-31T12:00:00Z.",
    "datetime_from_date_parsing": "must be a time such as 2026-01-31T12:00:00Z.",
    "timezone_aware": "must be a time with its zone, such as 2026-01-31T12:00:00Z.",
    "string_pattern_mismatch": "must match the pattern {pattern}.",
    "finite_number": "must be a finite number.",
}
_PATTERNS: Mapping[str, str] = {
    NAME_PATTERN: "takes letters, digits, '.', '_' and '-', beginning with a letter or digit.",
    SINK_PATTERN: "names a sink set up by the operator, such as slack:data-quality; a URL is not taken.",
}


def _message(entry: Any) -> str:
    context = entry.get("ctx", {})
    if entry["type"] == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if entry["type"] in _MESSAGES:
        return _MESSAGES[entry["type"]].format(**context)
    message = str(entry["msg"])
    return f"{message[:1].lower()}{message[1:].rstrip('.')}."


_SECRET_URL = re.compile(r"(https?://)[^\s'\"]*|\b(\w+://)[^\s'\"]*@", re.IGNORECASE)
_LONGEST_LOOK = 4000
"""Characters of a value that are looked at: of a quarter of a megabyte every look would take minutes."""


def shown(value: Any) -> str:
    """A value as it may be repeated in a message: short, and without web addresses, whose paths can be secrets, and
    without the user and password of any address."""
    text = _SECRET_URL.sub(lambda found: f"{found[1]}…" if found[1] else f"{found[2]}…@", repr(value)[:_LONGEST_LOOK])
    return text if len(text) <= 80 else f"{text[:77]}…"


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
