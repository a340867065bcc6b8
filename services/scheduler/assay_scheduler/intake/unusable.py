"""Why an input cannot be used, before it is known which field named it.

The inspection turns it into a Problem with the field's path.
"""

from __future__ import annotations

from assay_schemas.problems import Problem


class Unusable(Exception):
    """An input that cannot be used: what is wrong, and how to mend it."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message} {mend}".strip())
        self.message = message
        self.mend = mend

    def as_problem(self, field: str) -> Problem:
        return Problem(field=field, message=self.message, mend=self.mend)


class NotThereNow(Unusable):
    """What another system, such as the Hub, does not hand out at the moment: tried again for a while before it counts
    as a problem of the request."""
