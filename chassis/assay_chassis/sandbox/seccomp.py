"""A system call filter that lets a program start threads and no processes, for where a limit of processes is not held.

Loaded by the jail as a file; imports nothing of Assay, and only adds to what is already denied.
"""

import ctypes
import platform
import struct

SET_FILTER, FILTER_MODE, NO_NEW_PRIVILEGES = 22, 2, 38
ALLOW, NOT_PERMITTED, NO_SUCH_CALL = 0x7FFF0000, 0x00050001, 0x00050026
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
THREAD, OTHER_INTERFACE = 0x00010000, 0x40000000
CLONE3 = 435
CALLS = {"x86_64": (0xC000003E, 56, (57, 58)), "aarch64": (0xC00000B7, 220, ())}
"""By machine: its name to the kernel, its call clone, and its calls that always start a process (fork, vfork)."""

Step = tuple[int, int, int, int]


def steps(machine: str) -> list[Step]:
    """The filter as (code, steps to skip if so, steps to skip if not, value)."""
    architecture, clone, forks = CALLS[machine]
    never = [(EQUAL, 0, 1, number) for number in forks]
    listed: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, NOT_PERMITTED),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, OTHER_INTERFACE),
        (RETURN, 0, 0, NOT_PERMITTED),
        (EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, NO_SUCH_CALL),
    ]
    for test in never:
        listed += [test, (RETURN, 0, 0, NOT_PERMITTED)]
    return [
        *listed,
        (EQUAL, 1, 0, clone),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 0, 1, THREAD),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]


def deny_processes(libc: ctypes.CDLL) -> bool:
    """From here on this process and its threads start no process. False where this machine cannot say so."""
    if platform.machine() not in CALLS:
        return False
    packed = b"".join(struct.pack("HBBI", *step) for step in steps(platform.machine()))
    program = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("HxxxxxxP", len(packed) // 8, ctypes.addressof(program))
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return bool(libc.prctl(SET_FILTER, FILTER_MODE, ctypes.c_char_p(header), 0, 0) == 0)
