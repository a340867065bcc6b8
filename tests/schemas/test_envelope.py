"""The tolerant reader of records: what is an event, what is not, and with which reason."""

from __future__ import annotations

import json

import pytest
from assay_schemas.envelope import MAX_EVENT_BYTES, Record, Unreadable, decode
from hypothesis import given
from hypothesis import strategies as st

TOPIC = "experiment.requested"


def record(value, headers=(), **more) -> Record:
    raw = json.dumps(value).encode() if isinstance(value, dict | list) else value
    return Record(topic=TOPIC, partition=3, offset=41, key=b"k", value=raw, headers=headers, **more)


def test_plain_json_without_headers_is_named_by_its_place_in_the_log():
    event = decode(record({"a": 1}, timestamp_ms=1_700_000_000_000))
    assert (event.id, event.type, event.data, event.key) == (f"{TOPIC}/3/41", TOPIC, {"a": 1}, "k")
    assert event.time.year == 2023


def test_binary_mode_takes_identity_from_the_headers():
    headers = [("ce_id", b"e1"), ("ce_source", b"/notebook"), ("ce_type", TOPIC.encode()), ("ce_specversion", b"1.0")]
    event = decode(record({"a": 1}, headers))
    assert (event.id, event.source, event.data) == ("e1", "/notebook", {"a": 1})


def test_structured_mode_takes_identity_from_the_body():
    body = {"specversion": "1.0", "id": "e2", "type": TOPIC, "source": "/pipeline", "data": {"a": 1}}
    assert decode(record(body)).id == "e2"
    assert (
        decode(record(body, [("content-type", b"application/cloudevents+json; charset=utf-8")])).source == "/pipeline"
    )


def test_a_header_that_is_null_or_not_utf8_is_absent():
    event = decode(record({"a": 1}, [("ce_type", None), ("ce_id", b"\xff\x00")]))
    assert (event.type, event.id) == (TOPIC, f"{TOPIC}/3/41")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe\x00\xff", "not JSON"),
        ([1, 2], "not an object"),
        (b'{"seeds": NaN}', "not JSON"),
        (b'{"a": ' * 5000 + b"1" + b"}" * 5000, "not JSON"),
        (b'{"a": "' + b"x" * MAX_EVENT_BYTES + b'"}', "over the limit"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(value, reason):
    with pytest.raises(Unreadable, match=reason):
        decode(record(value))


def test_an_event_of_another_type_is_refused():
    with pytest.raises(Unreadable, match=r"eval\.completed.*does not belong"):
        decode(record({}, [("ce_type", b"eval.completed")]))


def test_structured_data_that_is_no_object_is_refused():
    with pytest.raises(Unreadable, match="data"):
        decode(record({"specversion": "1.0", "id": "e", "type": TOPIC, "source": "s", "data": [1]}))


@given(
    st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=20)), max_size=4)
)
def test_any_bytes_are_an_event_or_unreadable_and_nothing_else(value, headers):
    try:
        event = decode(record(value, headers))
    except Unreadable:
        return
    assert event.type == TOPIC


def test_a_time_that_cannot_be_read_falls_back_to_the_records():
    event = decode(record({"a": 1}, [("ce_time", b"yesterday")], timestamp_ms=1000))
    assert event.time.timestamp() == 1


def test_a_producers_clock_may_say_anything():
    for stamp in (-1, 0, 2**63 - 1):
        assert decode(record({"name": "x"}, timestamp_ms=stamp)).time.year in (1970, 9998, 9999)
