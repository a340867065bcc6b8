"""Logs without secrets, and a closed set of metrics."""

from __future__ import annotations

import json
import logging

import pytest
from assay_chassis import telemetry
from pydantic import SecretStr


@pytest.mark.parametrize(
    "entry",
    [
        {"settings": SecretStr("hunter2")},
        {"database_url": "postgresql://assay:hunter2@host:5432/assay"},
        {"error": "cannot connect to kafka://user:hunter2@host and more"},
        {"sasl_password": "hunter2"},
        {"nested": {"s3_secret_access_key": "hunter2", "list": [SecretStr("hunter2")]}},
        {"error": ConnectionError("postgresql://assay:hunter2@host")},
    ],
)
def test_no_secret_reaches_a_log_line(entry: dict[str, object]) -> None:
    assert "hunter2" not in repr(telemetry.hide_secrets(None, "", dict(entry)))


def test_what_is_no_secret_stays() -> None:
    entry = {"event": "ready", "url": "http://127.0.0.1:80/x@y", "count": 3, "ok": True}
    assert telemetry.hide_secrets(None, "", dict(entry)) == entry


def test_a_json_line_has_event_level_time_service_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("reporter", "info", "json")
    telemetry.logger("part").info("something happened", url="s3://key:hunter2@host", count=2)
    telemetry.logger("part").debug("not shown")
    logging.getLogger("library").warning("an old-style line with %s", "postgresql://a:hunter2@b")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) == 2
    assert (
        lines[0].items() >= {"event": "something happened", "level": "info", "service": "reporter", "count": 2}.items()
    )
    assert "timestamp" in lines[0]
    assert "hunter2" not in str(lines)


def test_an_exception_is_logged_with_its_traceback_but_without_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("reporter", "info", "json")
    try:
        raise ValueError("postgresql://a:hunter2@b")
    except ValueError:
        telemetry.logger("part").exception("it broke")
    line = json.loads(capsys.readouterr().err)
    assert "Traceback" in line["exception"]
    assert "hunter2" not in line["exception"]


def test_repeated_lines_of_the_kafka_client_are_thinned() -> None:
    thin = telemetry.OncePerWhile(seconds=30)
    record = logging.LogRecord("aiokafka.client", logging.ERROR, "client.py", 7, "again", (), None)
    own = logging.LogRecord("assay", logging.ERROR, "client.py", 7, "again", (), None)
    assert [thin.filter(record) for _ in range(3)] == [True, False, False]
    assert all(thin.filter(own) for _ in range(3))
    record.created += 31
    assert thin.filter(record)


def test_a_count_appears_in_the_exposition() -> None:
    telemetry.count("events_ignored", topic="eval.completed", reason="older attempt")
    assert b'assay_events_ignored_total{reason="older attempt",topic="eval.completed"} 1.0' in telemetry.exposition()
