"""Where PostgreSQL is: whichever of the hosts that a URL names is the primary now.

Never waits so long for one host that the next is not asked.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg

# What PostgreSQL says when it goes away, is not there yet, has no room, or wants the transaction to be run again.
AGAIN = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# What a connection's client says that has read the server's farewell and not yet the end of the stream.
FAREWELL = asyncpg.InternalClientError
# What a lost connection looks like from here; inside a handler these may come from elsewhere.
LOST = (*AGAIN, FAREWELL, OSError, TimeoutError)
# Why there may be no connection now: a password or a database's name may change while a service runs.
NO_CONNECTION = (
    *LOST,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TargetServerAttributeNotMatched,
)


class Hosts:
    """The hosts of one URL, asked in turn, the one that served last first; names are looked up anew each time."""

    def __init__(self, url: str) -> None:
        self._urls = one_host_each(url)
        says_which = "target_session_attrs" in parse_qs(urlsplit(url).query)
        self._wanted = {} if says_which else {"target_session_attrs": "primary"}

    async def connect(self, _url: str, **options: Any) -> Any:
        """A connection to the primary, each host having the whole `timeout`; one of NO_CONNECTION, the last host's."""
        problem: BaseException = OSError("the URL names no host")
        for url in list(self._urls):
            try:
                connection = await asyncpg.connect(url, **self._wanted, **options)
            except NO_CONNECTION as error:
                problem = error
            else:
                self._urls.remove(url)
                self._urls.insert(0, url)
                return connection
        raise problem


def one_host_each(url: str) -> list[str]:
    """`postgresql://user@a:1,b:2/name` as a URL for each host; other forms stay as they are."""
    parts = urlsplit(url)
    if "," not in parts.netloc:
        return [url]
    login, at, hosts = parts.netloc.partition("@") if "@" in parts.netloc else ("", "", parts.netloc)
    return [urlunsplit(parts._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]
