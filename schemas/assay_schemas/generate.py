"""Generates the published descriptions from the classes: JSON Schemas and the AsyncAPI document.

Returns texts by path and writes nothing; a test compares them with what is committed.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from assay_schemas.algorithms import ALGORITHMS
from assay_schemas.benchmarks import OWN_BENCHMARKS
from assay_schemas.datasets import SnapshotManifest
from assay_schemas.events import PAYLOADS
from assay_schemas.reports import ReportDocument
from assay_schemas.results import EvalResult, ExperimentResult, Plan, Sample, SelectionResult, TrainingResult
from assay_schemas.topics import TOPICS, Topic, dead_letter_topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MANIFESTS: dict[str, type[BaseModel]] = {
    "snapshot": SnapshotManifest,
    "plan": Plan,
    "training-result": TrainingResult,
    "selection-result": SelectionResult,
    "eval-result": EvalResult,
    "experiment-result": ExperimentResult,
    "sample": Sample,
    "report": ReportDocument,
}


def generated_files() -> dict[str, str]:
    """Every generated file's text by its path below `schemas/`."""
    files = {f"json/events/{_versioned(topic)}.json": _text(event_schema(topic)) for topic in TOPICS.values()}
    files |= {f"json/manifests/{name}.json": _text(_schema(model)) for name, model in MANIFESTS.items()}
    files |= {
        f"json/hyperparameters/{name}.json": _text(_schema(algorithm.hyperparameters))
        for name, algorithm in ALGORITHMS.items()
    }
    files |= {
        f"json/benchmarks/{name}.json": _text(_schema(definition.parameters))
        for name, definition in OWN_BENCHMARKS.items()
    }
    return files | {"asyncapi.json": _text(asyncapi())}


def event_schema(topic: Topic) -> dict[str, Any]:
    """The JSON Schema of a topic's events in structured form: the CloudEvents envelope around the payload."""
    data = PAYLOADS[topic.name].model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = data.pop("$defs", {})
    text = {"type": "string", "minLength": 1}
    return {
        "$schema": DIALECT,
        "title": f"{topic.name} {topic.version}",
        "description": topic.summary,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"const": topic.name},
            "time": {"type": "string", "format": "date-time"},
            "dataschema": {"type": "string"},
            "partitionkey": {"type": "string", "description": topic.key},
            "correlationid": {"type": "string"},
            "causationid": {"type": "string"},
            "traceparent": {"type": "string"},
            "datacontenttype": {"const": "application/json"},
            "data": data,
        },
        "$defs": definitions,
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document: a channel for each topic, an operation for each producer and consumer."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Assay events",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 on Kafka, structured JSON. Refused records go to the topic's .dlq.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {_identifier(topic.name): _channel(topic) for topic in TOPICS.values()},
        "operations": dict(entry for topic in TOPICS.values() for entry in _operations(topic)),
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{topic.summary} Key: {topic.key}. Dead letters: {dead_letter_topic(topic.name)}.",
        "messages": {
            "event": {
                "name": topic.name,
                "contentType": "application/cloudevents+json",
                "payload": {"$ref": f"json/events/{_versioned(topic)}.json"},
                "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}}},
            }
        },
        "bindings": {
            "kafka": {"topic": topic.name, "partitions": topic.partitions, "topicConfiguration": dict(topic.settings)}
        },
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{_identifier(topic.name)}"}
    sends = [
        (f"{service}.publishes.{topic.name}", {"action": "send", "channel": channel}) for service in topic.producers
    ]
    receives = [
        (f"{service}.consumes.{topic.name}", {"action": "receive", "channel": channel}) for service in topic.consumers
    ]
    return sends + receives


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema(by_alias=True)}


def _versioned(topic: Topic) -> str:
    return f"{topic.name}-{topic.version}"


def _identifier(name: str) -> str:
    return name.replace(".", "_")


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
