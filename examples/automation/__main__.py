"""`python -m examples.automation`: watches for new snapshots and reports until it is stopped.

Offsets are committed after the answers are published: killed in between, it says the same events again.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from assay.errors import Refused
from assay.settings import load_settings
from assay_schemas.envelope import Record, Unreadable, decode, encode
from pydantic import ValidationError

from examples.automation.decisions import answers
from examples.automation.settings import Watch

TOPICS = ("dataset.published", "experiment.rejected", "report.published")


async def watching(watch: Watch, once: bool) -> None:
    """Answers events one after another; with `once`, until the first decision is published."""
    servers = watch.settings.kafka_bootstrap_servers
    await _make_topic(servers, watch.downstream)
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=servers,
        group_id=watch.group,
        enable_auto_commit=False,
        auto_offset_reset="latest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await consumer.start()
    await producer.start()
    print(f"watching {', '.join(TOPICS)}; good data goes to {watch.downstream}", flush=True)
    try:
        async for message in consumer:
            decided = await _answer(_record(message), watch, producer)
            await consumer.commit()
            if once and decided:
                return
    finally:
        await producer.stop()
        await consumer.stop()


async def _answer(record: Record, watch: Watch, producer: AIOKafkaProducer) -> bool:
    """Publishes what one record leads to; whether a decision was among it. What cannot be answered is said."""
    try:
        found = await asyncio.to_thread(answers, decode(record), watch, datetime.now(UTC))
    except (Unreadable, ValidationError, Refused) as error:
        print(f"passed over {record.topic}/{record.partition}/{record.offset}: {error}", flush=True)
        return False
    for event in found:
        key, value, headers = encode(event)
        await producer.send_and_wait(event.type, value, key=key, headers=headers)
        print(f"{event.type}  {event.key}  {event.data.get('decision', '')}", flush=True)
    return any(event.type == "gate.decided" for event in found)


async def _make_topic(servers: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    except TopicAlreadyExistsError:
        return
    finally:
        await admin.close()
    for _, code, *_ in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise for_code(code)(f"the topic {name} could not be made")


def _record(message: object) -> Record:
    names = ("topic", "partition", "offset", "key", "value")
    headers = tuple(getattr(message, "headers", ()))
    return Record(**{name: getattr(message, name) for name in names}, headers=headers)


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description="Tests every new snapshot and lets only good data go on.")
    parser.add_argument(
        "--template", type=Path, default=here.parent / "automation.yaml", help="experiment with SNAPSHOT"
    )
    parser.add_argument("--policy", type=Path, default=here / "gate.yaml", help="the gate's policy")
    parser.add_argument("--name", default="", help="only snapshots published under this name")
    parser.add_argument("--downstream", default="dataset.approved", help="topic for data that passed")
    parser.add_argument("--once", action="store_true", help="end after the first decision")
    given = parser.parse_args()
    watch = Watch.read(load_settings(), given.template, given.policy, name=given.name, downstream=given.downstream)
    asyncio.run(watching(watch, given.once))


if __name__ == "__main__":
    main()
