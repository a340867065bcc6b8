"""The errors every service sorts its failures into: what a retry can mend, and what it never will.

AssayError
├── Permanent             the event goes to the dead-letter topic with the reason
│   ├── Refused           this event is impossible in the present state
│   ├── EventTooLarge     an event may not be published: it is over the size limit
│   └── Misconfigured     a setting or a registration is wrong; the process stops
└── Transient             tried again with backoff; the offset is not committed meanwhile
    ├── BrokerUnavailable
    └── DatabaseUnavailable
"""

from __future__ import annotations


class AssayError(Exception):
    """The root of all errors that Assay raises on purpose."""


class Permanent(AssayError):
    """No retry helps: the event goes to the dead-letter topic with this reason."""


class Refused(Permanent):
    """The event is well formed, but impossible: its reason says why."""


class EventTooLarge(Permanent):
    """The event is over the size limit; put what is large into the object store and reference it."""


class Misconfigured(Permanent):
    """A setting or a registration is wrong; the message names it and the mend."""


class Transient(AssayError):
    """Something outside is not there at the moment; the same try may work later."""


class BrokerUnavailable(Transient):
    """The event broker cannot be reached or does not take the record now."""


class DatabaseUnavailable(Transient):
    """The database cannot be reached, went away, or asks for the transaction to be run again."""
