"""From botocore's exceptions to the store's own: what may pass, what is final.
Never reads an exception's message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from assay_chassis.object_store.errors import (
    AccessDenied,
    ClockSkewed,
    ObjectNotFound,
    ObjectStoreError,
    StoreUnavailable,
    TryAgain,
)

NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
DENIED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
SKEWED = frozenset({"RequestTimeTooSkewed"})
PASSING = frozenset({"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"})


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Raises an ObjectStoreError in place of what botocore and its transport raise."""
    import aiohttp
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        FlexibleChecksumError,
        HTTPClientError,
        IncompleteReadError,
        NoCredentialsError,
    )
    from botocore.exceptions import ConnectionError as NoConnection  # refused, or not there in time

    try:
        yield
    except ClientError as error:
        details, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        raise judged(uri, str(details.get("Code", "")), int(metadata.get("HTTPStatusCode", 0))) from error
    except NoCredentialsError as error:
        raise AccessDenied(uri) from error
    except (HTTPClientError, NoConnection, aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        problem = f"the connection failed ({type(error).__name__})"
        raise TryAgain(StoreUnavailable(uri, problem)) from error
    except (FlexibleChecksumError, IncompleteReadError) as error:
        problem = f"the answer was damaged on its way ({type(error).__name__})"
        raise TryAgain(StoreUnavailable(uri, problem)) from error
    except BotoCoreError as error:
        raise StoreUnavailable(uri, f"the request could not be made ({type(error).__name__})") from error


def judged(uri: str, code: str, status: int) -> ObjectStoreError:
    """What an error answer with this S3 code and HTTP status means."""
    if code in NOT_FOUND:
        return ObjectNotFound(uri)
    if code in SKEWED:
        return ClockSkewed(uri)
    if code in DENIED or status in (401, 403):
        return AccessDenied(uri)
    problem = StoreUnavailable(uri, f"the store answered {code or status}")
    return TryAgain(problem) if code in PASSING or status == 429 or status >= 500 else problem
