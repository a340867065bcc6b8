"""Settings come from the environment, hide secrets and describe themselves."""

from __future__ import annotations

import pytest
from assay_chassis.errors import Misconfigured
from assay_chassis.kafka_connection import bootstrap_servers, client_options
from assay_chassis.settings import ServiceSettings, describe_settings
from pydantic import Field


class ReporterSettings(ServiceSettings):
    slack_limit: int = Field(default=50, description="Most blocks in a message")


def test_settings_are_read_from_assay_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_KAFKA_BOOTSTRAP_SERVERS", "one:9092, two:9092")
    monkeypatch.setenv("ASSAY_SLACK_LIMIT", "7")
    settings = ReporterSettings()
    assert bootstrap_servers(settings) == ["one:9092", "two:9092"]
    assert settings.slack_limit == 7


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE_URL", "postgresql://assay:hunter2@host/assay")
    monkeypatch.setenv("ASSAY_KAFKA_SASL_PASSWORD", "hunter2")
    assert "hunter2" not in repr(ServiceSettings()) + ServiceSettings().model_dump_json()


def test_every_setting_has_a_variable_a_meaning_and_an_origin() -> None:
    rows = {row.variable: row for row in describe_settings(ReporterSettings)}
    assert all(row.description for row in rows.values())
    assert rows["ASSAY_SLACK_LIMIT"].model_dump() == {
        "variable": "ASSAY_SLACK_LIMIT",
        "default": "50",
        "description": "Most blocks in a message",
        "secret": False,
        "origin": "ReporterSettings",
    }
    assert rows["ASSAY_KAFKA_BOOTSTRAP_SERVERS"].origin == "ServiceSettings"
    assert rows["ASSAY_DATABASE_URL"].secret
    assert "assay:assay" not in rows["ASSAY_DATABASE_URL"].default


@pytest.mark.parametrize(
    ("protocol", "mechanism", "expected"),
    [
        ("PLAINTEXT", "PLAIN", {"bootstrap_servers": ["127.0.0.1:9092"]}),
        ("SASL_PLAINTEXT", "PLAIN", {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}),
        ("SASL_SSL", "SCRAM-SHA-512", {"security_protocol": "SASL_SSL", "sasl_plain_password": "secret"}),
        ("SSL", "PLAIN", {"security_protocol": "SSL"}),
    ],
)
def test_kafkas_protection_reaches_its_clients(protocol: str, mechanism: str, expected: dict[str, str]) -> None:
    settings = ServiceSettings(
        kafka_security_protocol=protocol,
        kafka_sasl_mechanism=mechanism,
        kafka_sasl_username="assay",
        kafka_sasl_password="secret",
    )
    options = client_options(settings)
    assert expected.items() <= options.items()
    assert (options.get("ssl_context") is not None) == protocol.endswith("SSL")


def test_sasl_without_a_user_name_is_refused() -> None:
    with pytest.raises(Misconfigured, match="ASSAY_KAFKA_SASL_USERNAME"):
        client_options(ServiceSettings(kafka_security_protocol="SASL_SSL"))
