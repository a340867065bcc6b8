"""What can go wrong on the client's side; each message says how to mend it.

AssayError
├── NotConnected        no system was found or it does not answer
├── Refused             the system said no, with its problems
├── NotFound            no such experiment, job or report
└── TimedOut            an answer did not come in time
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay_schemas.problems import Problem  # pydantic takes longer to import than `assay --help` may


class AssayError(Exception):
    """Base of every error the client raises."""


class NotConnected(AssayError):
    """No system was found, or it does not answer."""


class Refused(AssayError):
    """The experiment was refused; `problems` lists everything to mend."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class NotFound(AssayError):
    """There is no experiment, job or report of that name."""


class TimedOut(AssayError):
    """The answer did not come in time; the work itself goes on."""
