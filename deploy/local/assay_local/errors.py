"""Errors of the embedded system; each says what happened and how to mend it.
Never holds behaviour: only the tree of classes.

LocalError (an AssayError)
├── StateFolderError
├── AlreadyRunning
├── JavaUnavailable
├── JarsUnavailable
└── NotStarted
"""

from assay_chassis.errors import AssayError


class LocalError(AssayError):
    """Something about the embedded system that the person at the keyboard can mend."""


class StateFolderError(LocalError):
    """The state folder cannot be used: not writable, no space, or made by another user."""


class AlreadyRunning(LocalError):
    """A system with this state folder is running; stop it with `assay down` first."""


class JavaUnavailable(LocalError):
    """Kafka needs a Java that is not there, or is too old."""


class JarsUnavailable(LocalError):
    """Kafka's jars could not be fetched; Maven or the way to a Maven repository is missing."""


class NotStarted(LocalError):
    """A part of the system did not become ready in time; the message ends with the tail of its log."""
