"""SQL by name: a package's `queries.sql`, where each statement stands under a line `-- name: take_job`.

Never changes a statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

from assay_chassis.errors import Misconfigured

_NAME = re.compile(r"^--\s*name:\s*(\w+)\s*$", re.MULTILINE)


class Queries:
    """`queries.take_job` is the text of the statement of that name. AttributeError for a name that is not there."""

    def __init__(self, statements: Mapping[str, str]) -> None:
        self._statements = dict(statements)

    @classmethod
    def load(cls, package: str, file: str = "queries.sql") -> Queries:
        """Read a file that lies in a package. Raises Misconfigured for a name given twice."""
        return cls.parse((resources.files(package) / file).read_text(encoding="utf-8"), f"{package}/{file}")

    @classmethod
    def parse(cls, text: str, origin: str) -> Queries:
        parts = _NAME.split(text)
        names, statements = parts[1::2], [part.strip() for part in parts[2::2]]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise Misconfigured(f"{origin}: {', '.join(twice)} stands there twice; rename one")
        return cls(dict(zip(names, statements, strict=True)))

    def __getattr__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"no statement is named {name!r}; known: {', '.join(self._statements)}") from None
