"""What the environment offers instead of parts of the system."""

from __future__ import annotations

import pytest
from assay_local.errors import LocalError
from assay_local.external import External, find_external


def test_an_empty_environment_offers_nothing() -> None:
    assert find_external({}) == External()


def test_our_own_setting_for_kafka_comes_before_the_common_one() -> None:
    both = {"KAFKA_BOOTSTRAP_SERVERS": "common:9092", "ASSAY_KAFKA_BOOTSTRAP_SERVERS": "ours:9092"}
    assert find_external(both).kafka_bootstrap_servers == "ours:9092"


def test_a_login_at_kafka_is_handed_on_but_never_shown() -> None:
    found = find_external({"ASSAY_KAFKA_SASL_PASSWORD": "secret", "ASSAY_DATABASE_URL": "postgresql://u:secret@h/d"})
    assert found.kafka_options == {"sasl.password": "secret"}
    assert "secret" not in repr(found)


def test_an_s3_endpoint_needs_a_bucket() -> None:
    with pytest.raises(LocalError, match="ASSAY_OBJECT_STORE=s3://bucket"):
        find_external({"ASSAY_S3_ENDPOINT_URL": "http://127.0.0.1:7070"})
