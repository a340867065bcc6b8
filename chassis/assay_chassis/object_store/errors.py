"""What can go wrong between a service and an object store.
Every message names the object and the mend."""

from __future__ import annotations

from assay_chassis.errors import AssayError, Permanent, Transient


class ObjectStoreError(AssayError):
    """An object store could not do what was asked."""


class KeyRefused(ObjectStoreError, Permanent):
    """The key is malformed or leads out of the store's root."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"key {key!r}: {problem}; use a relative key such as datasets/<sha256>/rows.jsonl")


class UriRefused(ObjectStoreError, Permanent):
    """The URI names no store that Assay can open."""

    def __init__(self, uri: str, problem: str) -> None:
        super().__init__(f"uri {uri!r}: {problem}; use file:///folder or s3://bucket/prefix")


class ObjectNotFound(ObjectStoreError, Permanent):
    """There is no such object."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri}: no such object; check the URI, and that what writes it has finished")
        self.uri = uri


class ObjectTooLarge(ObjectStoreError, Permanent):
    """The object is larger than the caller is ready to hold in memory."""

    def __init__(self, uri: str, size: int, max_bytes: int) -> None:
        super().__init__(f"{uri}: {size} bytes, more than the {max_bytes} allowed here; read it as a file")
        self.uri = uri


class ObjectDamaged(ObjectStoreError, Permanent):
    """Size or sha256 are not what they must be, also after reading again."""

    def __init__(self, uri: str, expected: str, found: str) -> None:
        super().__init__(f"{uri}: expected {expected}, found {found}; the object was changed: publish it again")
        self.uri = uri


class AccessDenied(ObjectStoreError, Transient):
    """The store refuses. Transient, because a person mends it and the events wait for that."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri}: access denied; check the store's credentials and its permissions")


class ClockSkewed(ObjectStoreError, Transient):
    """The store refuses what another clock has signed. Transient, as a person mends it."""

    def __init__(self, uri: str) -> None:
        problem = "this machine's clock differs too much from the store's, which refuses what it signs"
        super().__init__(f"{uri}: {problem}; set the machine's clock right, as by NTP")


class StoreUnavailable(ObjectStoreError, Transient):
    """The store cannot be reached, or answered with an error, also after trying again."""

    def __init__(self, uri: str, problem: str) -> None:
        super().__init__(f"{uri}: {problem}; check ASSAY_OBJECT_STORE and ASSAY_S3_ENDPOINT_URL")


class TryAgain(ObjectStoreError):
    """One try failed in a way that the next may mend; callers outside this package never see it."""

    def __init__(self, final: ObjectStoreError) -> None:
        super().__init__(str(final))
        self.final = final
