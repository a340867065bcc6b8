"""What `assay doctor` looks at: tools on this machine, and every part of the system it would talk to.

Each check answers within seconds; nothing is changed but one small object in the store.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
from assay_schemas.topics import TOPICS

from assay import stream
from assay.blocking import run_blocking
from assay.errors import AssayError
from assay.settings import ClientSettings, load_settings
from assay.store import Store

Check = dict[str, Any]
TIMEOUT_S = 5.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def examine() -> list[Check]:
    """Every check: name, ok (None: only nice to have), what was seen, and the mend."""
    checks = [_python(), _tool("java", "17 or newer runs real Kafka; without it the broker keeps data in memory only")]
    checks.append(_tool("mvn", "fetches Kafka's jars once; without it the broker keeps data in memory only"))
    try:
        settings = load_settings()
    except AssayError as error:
        return [*checks, _check("system", False, "none found", str(error))]
    return [
        *checks,
        _attempt("broker", lambda: _broker(settings), "Start the system with `assay up`, or mend ASSAY_KAFKA_*."),
        _attempt("object store", lambda: _object_store(settings), "Mend ASSAY_OBJECT_STORE, or the store's rights."),
        _attempt("scheduler", lambda: _ready(settings.api_url), "See the scheduler's log; set ASSAY_API_URL."),
        _attempt("reporter", lambda: _ready(settings.web_url), "See the reporter's log; set ASSAY_WEB_URL."),
        _worker("trainer", settings.trainer_url),
        _worker("evaluator", settings.evaluator_url),
    ]


def _check(name: str, ok: bool | None, detail: str, mend: str = "") -> Check:
    return {"name": name, "ok": ok, "detail": detail, "mend": mend}


def _attempt(name: str, look: Callable[[], str], mend: str) -> Check:
    try:
        return _check(name, True, look())
    except (AssayError, OSError, httpx.HTTPError) as error:
        return _check(name, False, str(error) or type(error).__name__, mend)


def _worker(name: str, url: str) -> Check:
    """Nothing but this looks at the addresses of trainer and evaluator: that one is not known is no fault."""
    if not url:
        return _check(name, None, "its address is not known", f"Set ASSAY_{name.upper()}_URL to see it here.")
    return _attempt(name, lambda: _ready(url), f"See the {name}'s log; set ASSAY_{name.upper()}_URL.")


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return _check("python", sys.version_info >= (3, 11), version, "Assay needs Python 3.11 or newer.")


def _tool(name: str, use: str) -> Check:
    path = shutil.which(name)
    if path is None:
        return _check(name, None, "not found", use)
    answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=60, check=False)
    first = _COLOURS.sub("", answer.stdout or answer.stderr).strip().splitlines()
    return _check(name, True, first[0] if first else path)


def _broker(settings: ClientSettings) -> str:
    requests = run_blocking(stream.count(settings, "experiment.requested"))
    kept = f"{requests} request{'' if requests == 1 else 's'} kept"
    return f"{settings.kafka_bootstrap_servers}, {len(TOPICS)} topics declared, {kept}"


def _object_store(settings: ClientSettings) -> str:
    store = Store(settings)
    if store.read(store.write("doctor/probe", b"ok")) != b"ok":
        raise AssayError("what was written is not what is read")
    return store.root


def _ready(url: str) -> str:
    if not url:
        raise AssayError("its address is not known")
    answer = httpx.get(f"{url.rstrip('/')}/readyz", timeout=TIMEOUT_S)
    if not answer.is_success:
        raise AssayError(f"{url} is not ready: {_reasons(answer)}")
    return url


def _reasons(answer: httpx.Response) -> str:
    """Why a service is not ready, in its own words; what else answered at its address is shown as it is."""
    try:
        return "; ".join(map(str, answer.json()["reasons"]))
    except (ValueError, KeyError, TypeError):
        return f"it answers {answer.status_code} {answer.text[:200]}".strip()
