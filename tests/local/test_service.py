"""A service of the embedded system tells its own process from another system's on the same port."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from assay_local.processes import MARK
from assay_local.service import Service


@pytest.fixture
def answering():
    """A server whose /readyz says that it belongs to the system `theirs`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"ready": True, "system": "theirs"}).encode())

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def service(port: int, system: str) -> Service:
    return Service("reporter", "assay_reporter", port, Path("log"), lambda: {MARK: system})


def test_another_systems_answer_is_not_readiness(answering):
    assert service(answering, "theirs").ready()
    assert not service(answering, "ours").ready()


def test_a_port_that_was_taken_meanwhile_is_left_to_its_holder():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        one = service(taken, "ours")
        one.prepare()
        assert one.port != taken
        assert one.url.endswith(str(one.port))
