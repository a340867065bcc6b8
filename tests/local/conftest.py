"""A stand-in for a service, and a system made of such stand-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

STAND_IN = """
import json, os, subprocess, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder = Path(os.environ["ASSAY_STATE_DIR"])
folder.mkdir(parents=True, exist_ok=True)
(folder / "environment.json").write_text(json.dumps(dict(os.environ)))
with (folder / "starts").open("a") as starts:
    starts.write(f"{os.getpid()}\\\\n")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/job":
            job = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
            answer = str(job.pid).encode()
        else:
            answer = b"ready"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["ASSAY_HTTP_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that serves /readyz, notes its starts and settings, and starts a job on GET /job."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "stand_in_service.py").write_text(STAND_IN.replace("\\\\n", "\\n"))
    monkeypatch.setenv("PYTHONPATH", str(modules))
    return "stand_in_service"


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing the tester's shell offers is used instead of what a test starts."""
    for name in (
        "ASSAY_DATABASE_URL",
        "ASSAY_KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_BOOTSTRAP_SERVERS",
        "ASSAY_OBJECT_STORE",
        "ASSAY_S3_ENDPOINT_URL",
        "ASSAY_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
