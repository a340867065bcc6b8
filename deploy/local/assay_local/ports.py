"""TCP ports on the loopback interface.
Never hands out a port of the range from which the kernel takes the ports of outgoing connections.
"""

from __future__ import annotations

import random
import socket

from assay_local.errors import LocalError

HOST = "127.0.0.1"
# Below the ephemeral range of Linux and macOS: a client that dials a stopped server can neither take the
# server's port for itself nor connect to itself.
_FIRST, _LAST = 20_000, 31_999
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Whether something accepts connections on the port."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def free_port(preferred: int | None = None) -> int:
    """The preferred port if it is free, otherwise some free port."""
    if preferred is not None and is_free(preferred):
        return preferred
    for _ in range(_TRIES):
        port = random.randint(_FIRST, _LAST)
        if is_free(port):
            return port
    raise LocalError(f"no free TCP port between {_FIRST} and {_LAST} on {HOST}; stop what holds them")
