"""The operator's file of sinks: what is taken, what is refused, and that no secret is ever repeated."""

from __future__ import annotations

import pytest
import yaml
from assay_chassis.errors import Misconfigured
from assay_reporter.settings import ReporterSettings
from assay_reporter.sinks import read_sinks

SECRET = "whsec_" + "A" * 32
GOOD = {
    "slack": {
        "data-quality": {"webhook_url": "https://hooks.slack.com/services/T0/B0/hidden"},
        "research": {"token": "xoxb-hidden", "channel": "C012"},
    },
    "webhook": {"pipeline": {"url": "https://ci.example.org/hook", "secrets": [SECRET]}},
    "email": {"weekly": {"folder": "/var/spool/assay", "from": "assay@example.org", "to": ["team@example.org"]}},
}


def read(tmp_path, document, **settings):
    file = tmp_path / "sinks.yaml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return read_sinks(ReporterSettings(sinks_file=file, **settings))


def test_every_kind_of_sink_has_the_name_that_experiments_use(tmp_path):
    assert set(read(tmp_path, GOOD)) == {"slack:data-quality", "slack:research", "webhook:pipeline", "email:weekly"}


def test_names_and_addresses_of_slack_hooks_alone_are_enough(tmp_path):
    file = tmp_path / "hooks.yaml"
    file.write_text("team: https://hooks.slack.com/services/T0/B0/hidden\n")
    assert set(read_sinks(ReporterSettings(slack_webhooks_file=file))) == {"slack:team"}


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path):
    sinks = read(tmp_path, GOOD)
    assert "Did you mean 'slack:data-quality'" in sinks.unknown("slack:data-qality")
    assert "ASSAY_SINKS_FILE" in read_sinks(ReporterSettings()).unknown("slack:a")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"slack": {"a": {"webhook_url": "https://hooks.slack.com.evil.example/hidden"}}}, "not on hooks.slack.com"),
        ({"slack": {"a": {"webhook_url": "http://hooks.slack.com/services/hidden"}}}, "https://"),
        ({"slack": {"a": {"token": "xoxb-hidden"}}}, "token and channel"),
        ({"webhook": {"a": {"url": "https://me:hidden@x.example", "secrets": [SECRET]}}}, "no user"),
        ({"webhook": {"a": {"url": "https://x.example", "secrets": ["hidden"]}}}, "whsec_"),
        ({"webhook": {"a": {"url": "https://x.example", "secrets": [{"hidden": 1}]}}}, "webhook.a.secrets.0"),
        ({"email": {"a": {"folder": "/x", "from": "hidden", "to": ["a@b"]}}}, "email.a.from"),
        ({"email": {"a": {"folder": "/x", "from": "a@b", "to": ["hidden\nBcc: x@y"]}}}, "plain address"),
        ({"slak": {}}, "Did you mean 'slack'"),
        ({"slack": {"a b": {"webhook_url": "https://hooks.slack.com/hidden"}}}, "slack.a b"),
        ("a: [hidden", "is not YAML"),
        ("- hidden", "mapping"),
    ],
)
def test_a_file_with_problems_stops_the_service_without_repeating_a_secret(tmp_path, document, said):
    with pytest.raises(Misconfigured) as refusal:
        read(tmp_path, document)
    assert said in str(refusal.value)
    assert "hidden" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_every_problem_is_said_at_once(tmp_path):
    bad = {"slack": {"a": {}, "b": {"token": "t"}}, "webhook": {"c": {}}}
    with pytest.raises(Misconfigured) as refusal:
        read(tmp_path, bad)
    assert all(part in str(refusal.value) for part in ("slack.a", "slack.b", "webhook.c.url", "webhook.c.secrets"))
