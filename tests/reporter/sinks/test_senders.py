"""Each sink by itself against a server: signatures, threads, files, and what the answers mean."""

from __future__ import annotations

import base64
import email
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from email.policy import default

import httpx
import pytest
from assay_reporter.sinks.email_file import EmailFileSink
from assay_reporter.sinks.http import open_client, post, wait_asked_for
from assay_reporter.sinks.message import Message, PartLeftOut, TryLater, Undeliverable
from assay_reporter.sinks.slack import Pace, SlackChannel, SlackHook
from assay_reporter.sinks.webhook import WebhookSink, sign
from pydantic import SecretStr

KEY = bytes(range(32))
SECRET = SecretStr(f"whsec_{base64.b64encode(KEY).decode()}")


def message(report, thread=None, **changes) -> Message:
    return Message(report(**changes), {"experiment_id": "1", "url": "https://assay.example.org/e/1"}, thread)


async def test_a_webhook_is_signed_so_that_its_receiver_can_check_it(slack, report):
    sink = WebhookSink(SecretStr(slack.url("hook")), [SECRET, SecretStr("whsec_" + "B" * 32)])
    async with open_client() as http:
        assert await sink.send(message(report), http) is None
        await sink.send(message(report), http)
    (headers, body), (again, _) = slack.signed
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"].split(" ")[0] == f"v1,{expected}"
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert headers["webhook-id"] == again["webhook-id"]
    assert json.loads(body)["data"]["experiment_id"] == "1"


def test_the_signature_is_that_of_the_standards_own_example():
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def sent_whole(sink, report, http) -> None:
    """Every part, one call after another."""
    thread = await sink.send(message(report), http)
    while thread is not None:
        thread = await sink.send(message(report, thread), http)


async def test_with_a_token_details_and_picture_follow_in_the_thread(slack, report):
    sink = SlackChannel(SecretStr("xoxb-secret"), "C1", slack.url("api"))
    async with open_client() as http:
        await sent_whole(sink, report, http)
    first, second = slack.taken
    assert (second["thread_ts"], "thread_ts" in first) == ("17.1", False)
    assert "it fell" in str(second)
    (shared,) = slack.pictures
    assert (shared["channel_id"], shared["thread_ts"]) == ("C1", "17.1")
    assert shared["files"] == [{"id": "F0", "title": "wrong-solutions"}]
    assert slack.uploads["F0"].startswith(b"\x89PNG")


async def test_a_bot_that_may_not_share_files_delivers_all_but_the_picture(slack, report):
    slack.scopes.discard("files:write")
    sink = SlackChannel(SecretStr("xoxb-secret"), "C1", slack.url("api"))
    async with open_client() as http:
        with pytest.raises(PartLeftOut, match="without the picture: missing_scope"):
            await sent_whole(sink, report, http)
    assert len(slack.taken) == 2


async def test_a_picture_goes_to_slacks_host_only(slack, report):
    slack.upload_host = "http://169.254.169.254/upload"
    sink = SlackChannel(SecretStr("xoxb-secret"), "C1", slack.url("api"))
    async with open_client() as http:
        with pytest.raises(PartLeftOut, match="not on Slack's host"):
            await sink.send(message(report, "17.1 details"), http)
    assert slack.uploads == {}


async def test_a_token_that_is_refused_is_not_tried_again(slack, report):
    sink = SlackChannel(SecretStr("xoxb-other"), "C1", slack.url("api"))
    async with open_client() as http:
        with pytest.raises(Undeliverable, match="invalid_auth"):
            await sink.send(message(report), http)


async def test_slacks_limits_are_kept_with_the_largest_of_reports(slack, report):
    arms, names = [f"arm-{n}" for n in range(150)], [f"b-{n}" for n in range(40)]
    sink = SlackHook(SecretStr(slack.url("services/B0/secret-of-a")))
    async with open_client() as http:
        await sink.send(message(report, arms=arms, benchmarks=names, next_steps=["x" * 5000] * 60), http)
    assert (len(slack.taken), slack.refused) == (1, [])


@pytest.mark.parametrize(
    ("status", "text", "error", "said"),
    [
        (429, "", TryLater, "HTTP 429"),
        (503, "<html>https://x</html>", TryLater, "HTTP 503"),
        (404, "no_service", Undeliverable, "HTTP 404: no_service"),
        (302, "", Undeliverable, "HTTP 302"),
    ],
)
async def test_what_an_answer_means(status, text, error, said):
    headers = {"Retry-After": "7", "Location": "http://169.254.169.254/"}
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=text, headers=headers))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(error) as failure:
            await post(http, "https://x.example/hidden", b"{}", {})
    assert str(failure.value) == said
    assert getattr(failure.value, "after_s", 7.0) == 7.0


async def test_a_receiver_that_sends_us_elsewhere_is_not_followed_there(monkeypatch):
    asked = []

    async def elsewhere(_transport, request):
        asked.append(request.url.host)
        return httpx.Response(307, headers={"Location": "http://169.254.169.254/"})

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", elsewhere)
    async with open_client() as http:
        with pytest.raises(Undeliverable, match="HTTP 307"):
            await post(http, "https://x.example/hidden", b"{}", {})
    assert asked == ["x.example"]


async def test_no_failure_and_no_log_repeats_an_address(caplog):
    caplog.set_level("DEBUG")
    async with open_client() as http:
        with pytest.raises(TryLater) as failure:
            await post(http, "http://127.0.0.1:9/services/hidden", b"{}", {})
    assert "hidden" not in f"{failure.value}{caplog.text}"


def test_how_long_a_sink_asks_to_wait():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = (now + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    asked = ["30", later, "-5", "99999", "nan", "soon", "", None]
    assert [wait_asked_for(value, now) for value in asked] == [30.0, 90.0, 0.0, 3600.0, None, None, None, None]


async def test_messages_of_one_hook_keep_their_distance():
    pace, clock = Pace(0.05), datetime.now(UTC)
    for _ in range(3):
        await pace.wait()
    assert (datetime.now(UTC) - clock).total_seconds() >= 0.1


async def test_an_email_is_a_file_that_mail_programs_read(tmp_path, report):
    sink = EmailFileSink(tmp_path / "out", "assay@example.org", ["team@example.org", "lead@example.org"])
    evil = "it is <b>worse</b>\r\nBcc: thief@example.org"
    async with open_client() as http:
        for _ in range(2):
            await sink.send(message(report, sentence=evil, question="<script>alert(1)</script>"), http)
    (file,) = (tmp_path / "out").iterdir()
    mail = email.message_from_bytes(file.read_bytes(), policy=default)
    assert mail["Bcc"] is None
    assert mail["To"] == "team@example.org, lead@example.org"
    assert mail["Subject"].startswith("wrong-solutions: it is <b>worse</b> Bcc:")
    html = mail.get_body(("html",)).get_content()
    assert "<script" not in html
    assert "&lt;b&gt;worse" in html
    assert "https://assay.example.org/e/1" in html
    assert "▼ worse" in mail.get_body(("plain",)).get_content()
