"""The sandbox's inside: gives away every right it can, then runs one program and its tests.

Started as a script with the standard library alone; imports nothing of Assay.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import resource
import signal
import sys
import types

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_NETWORK, NEW_PROCESSES, NEW_IPC = 0x10000000, 0x40000000, 0x20000000, 0x08000000
NEW_MOUNTS, PRIVATE, NO_SETUID_OR_DEVICES = 0x00020000, 1 << 18 | 1 << 14, 2 | 4
DISK = b"size=64m,nr_inodes=4096,mode=0700"
NO_NEW_PRIVILEGES, DIE_WITH_PARENT = 38, 1
MIB = 2**20
MEMORY, FILE_SIZE, OPEN_FILES, PROCESSES = 1024 * MIB, 16 * MIB, 64, 32
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
READ_FILES = 0b1101  # execute, read file, read directory
ALL_FILES_V1 = (1 << 13) - 1
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/proc/self", "/dev/urandom")
LIMITS = (
    (resource.RLIMIT_AS, MEMORY),
    (resource.RLIMIT_FSIZE, FILE_SIZE),
    (resource.RLIMIT_NOFILE, OPEN_FILES),
    (resource.RLIMIT_CORE, 0),
)


def main() -> None:
    job = json.loads(sys.stdin.read())
    isolated = leave_namespaces()
    limited = isolated and own_disk(sys.argv[1])
    if isolated:
        become_child_of_new_namespace()
    seccomp = load_filter()
    confined = confine_files(sys.argv[1], sys.argv[2:])
    if job.get("report"):
        print(json.dumps({"network": isolated, "processes": isolated, "files": confined, "disk": limited}))
        return
    run(job, seccomp)


def leave_namespaces() -> bool:
    """Own user, network, process and IPC namespaces: no network at all, and no other process to see or signal."""
    user, group = os.getuid(), os.getgid()
    if LIBC.unshare(NEW_USER | NEW_NETWORK | NEW_PROCESSES | NEW_IPC):
        return False
    with contextlib.suppress(OSError):
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{user} {user} 1")
        write("/proc/self/gid_map", f"{group} {group} 1")
    return True


def own_disk(scratch: str) -> bool:
    """A small file system in memory in the place of `scratch`, gone with the last process that sees it."""
    if LIBC.unshare(NEW_MOUNTS) or LIBC.mount(b"none", b"/", None, PRIVATE, None):
        return False
    if LIBC.mount(b"tmpfs", scratch.encode(), b"tmpfs", NO_SETUID_OR_DEVICES, DISK):
        return False
    os.chdir(scratch)
    return True


def write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)


def become_child_of_new_namespace() -> None:
    """The namespace's first process only waits: it takes all others with it when it ends, and no limit's signal
    would end it. The program is its child."""
    for _ in range(2):
        child = os.fork()
        LIBC.prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if child:
            os.waitpid(child, 0)
            os._exit(0)


def confine_files(scratch: str, readable: list[str]) -> bool:
    """Landlock: write in `scratch` alone, read there, in `readable` and in the system's folders."""
    version = LIBC.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    handled = ALL_FILES_V1 | (1 << 13 if version >= 2 else 0) | (1 << 14 if version >= 3 else 0)
    ruleset = LIBC.syscall(CREATE_RULESET, ctypes.byref(ctypes.c_uint64(handled)), 8, 0)
    if ruleset < 0:
        return False
    allow(ruleset, scratch, handled)
    allow(ruleset, "/dev/null", 0b111 & ~1)
    for folder in (*SYSTEM_FOLDERS, *readable):
        allow(ruleset, folder, READ_FILES)
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(LIBC.syscall(RESTRICT_SELF, ruleset, 0) == 0)


def allow(ruleset: int, path: str, rights: int) -> None:
    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))

    with contextlib.suppress(OSError):
        place = os.open(path, os.O_PATH)
        if not os.path.isdir(path):  # noqa: PTH112
            rights &= 0b111
        LIBC.syscall(ADD_RULE, ruleset, 1, ctypes.byref(Beneath(rights, place)), 0)
        os.close(place)


def load_filter() -> types.ModuleType:
    """seccomp.py beside this file: there is no package here to import it from."""
    found = importlib.util.spec_from_file_location("seccomp", os.path.join(os.path.dirname(__file__), "seccomp.py"))  # noqa: PTH118, PTH120
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def run(job: dict[str, object], seccomp: types.ModuleType) -> None:
    """Run the program, then its tests; the token is written where only this function can write."""
    answer = os.dup(1)
    os.set_inheritable(answer, False)
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    seconds = max(1, int(float(str(job["timeout_s"]))) + 1)
    for kind, most in (*LIMITS, (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_NPROC, PROCESSES)):
        resource.setrlimit(kind, (most, most))
    if os.getuid() == 0:  # no limit of processes holds for the superuser
        seccomp.deny_processes(LIBC)
    signal.setitimer(signal.ITIMER_REAL, float(str(job["timeout_s"])))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    names: dict[str, object] = {"__name__": "__main__"}
    exec(compile(str(job["program"]), "program", "exec"), names)
    exec(compile(str(job["tests"]), "tests", "exec"), names)
    os.write(answer, str(job["token"]).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
