"""Reads an experiment or a policy from a YAML or JSON file; a file that is neither is a problem, not a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from assay_schemas.problems import WHOLE_DOCUMENT, Problem, joined

from assay.errors import Refused


def read_document(path: Path, what: str = "experiment") -> dict[str, Any]:
    """The document in a file. Raises Refused when it is not a mapping in YAML or JSON."""
    try:
        text = path.read_text(encoding="utf-8")
        document, twice = yaml.safe_load(text), list(_given_twice(yaml.compose(text, yaml.SafeLoader), set()))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mend = "Indent with spaces alone, close what is open, and put text with ':' or '#' in quotes."
        problem = Problem(field=WHOLE_DOCUMENT, message=f"is not YAML: {_in_words(error)}.", mend=mend)
        raise Refused([problem], what) from error
    if twice:
        raise Refused(twice, what)
    if not isinstance(document, dict):
        mend = f"Write lines of `key: value`, as examples/{'demo' if what == 'experiment' else 'gate'}.yaml does."
        raise Refused([Problem(field=WHOLE_DOCUMENT, message="must be a mapping of keys.", mend=mend)], what)
    return document


def _given_twice(node: yaml.Node | None, seen: set[int], path: str = "") -> Iterator[Problem]:
    """Keys that a mapping has more than once: YAML would take the last and say nothing. `seen`: parts that were looked
    at, since a file may name one part in several places, also within itself."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for place, one in enumerate(node.value):
            yield from _given_twice(one, seen, joined(path, place))
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        where, line = joined(path, str(key.value)), key.start_mark.line + 1
        if where in lines and key.value != "<<":
            message = f"is given twice, in line {lines[where]} and in line {line}."
            yield Problem(field=where, message=message, mend="Leave one of them out.")
        lines[where] = line
        yield from _given_twice(value, seen, where)


def _in_words(error: Exception) -> str:
    """Where and what, without the parser's own words for the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error)
