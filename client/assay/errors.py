"""What can go wrong on the client's side; each message says how to mend it.

AssayError
├── NotConnected        no system was found or it does not answer
├── Refused             an experiment or a policy has problems, all listed
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
    """A document was refused; `problems` lists everything to mend, `what` says of what kind it is."""

    def __init__(self, problems: Sequence[Problem], what: str = "experiment") -> None:
        self.problems = list(problems)
        self.what = what
        super().__init__("\n".join(map(str, self.problems)))


class NotFound(AssayError):
    """There is no experiment, job or report of that name."""


class TimedOut(AssayError):
    """The answer did not come in time; the work itself goes on."""
