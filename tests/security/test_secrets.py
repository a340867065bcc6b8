"""Canary secrets: what a service was given as a secret stands in no log, no traceback and no list of processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.real
CANARY = "canary-7f3a9c"
SECRETS = {
    "ASSAY_DATABASE_URL": f"postgresql://assay:{CANARY}@127.0.0.1:1/assay",
    "ASSAY_KAFKA_SASL_PASSWORD": CANARY,
    "ASSAY_S3_SECRET_ACCESS_KEY": CANARY,
    "ASSAY_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "ASSAY_KAFKA_SASL_MECHANISM": "PLAIN",
    "ASSAY_KAFKA_SASL_USERNAME": "assay",
    "ASSAY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ASSAY_LOG_LEVEL": "debug",
}


def command_lines(process: subprocess.Popen[bytes]) -> bytes:
    """The command lines of a process and of all that it started."""
    found, waiting = b"", [process.pid]
    while waiting:
        pid = waiting.pop()
        folder = Path(f"/proc/{pid}")
        try:
            found += (folder / "cmdline").read_bytes()
            for task in (folder / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="command lines are read from /proc")
@pytest.mark.parametrize("service", ["scheduler", "trainer"])
def test_no_secret_of_a_service_that_cannot_connect_is_shown(service: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text(f'{{"alice": "{CANARY}"}}')
    own = {"ASSAY_STATE_DIR": str(tmp_path), "ASSAY_OBJECT_STORE": tmp_path.as_uri()}
    environment = os.environ | SECRETS | own | {"ASSAY_API_TOKENS_FILE": str(tokens)}
    process = subprocess.Popen(
        [sys.executable, "-m", f"assay_{service}"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said, seen, deadline = b"", b"", time.monotonic() + 60
    os.set_blocking(process.stdout.fileno(), False)
    while time.monotonic() < deadline and b"waiting for" not in said:
        said += process.stdout.read() or b""
        seen += command_lines(process)
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    os.set_blocking(process.stdout.fileno(), True)
    rest, _ = process.communicate(timeout=60)
    said += rest
    assert b"waiting for" in said, said.decode()[-2000:]
    assert service.encode() in seen
    assert CANARY.encode() not in said
    assert CANARY.encode() not in seen


@pytest.mark.parametrize("content", ['{"alice": {"sha256": "%s"}}', '{"alice": ["%s"]}', "%s"])
def test_a_broken_tokens_file_is_told_of_without_what_stands_in_it(content: str, tmp_path: Path) -> None:
    from assay_chassis.errors import Misconfigured
    from assay_scheduler.api.tokens import Tokens

    tokens = tmp_path / "tokens.json"
    tokens.write_text(content % CANARY)
    with pytest.raises(Misconfigured) as refused:
        Tokens(tokens)
    assert "ASSAY_API_TOKENS_FILE" in str(refused.value)
    assert CANARY not in str(refused.value)
