"""After a disaster: `read-again` where the database was lost, `publish-again` where Kafka was.

Never deletes anything; what it makes services do again, they drop where it was done before.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaError, UnknownMemberIdError
from assay_schemas.topics import consumed_by

from assay_chassis.database import Database
from assay_chassis.errors import AssayError, DatabaseUnavailable
from assay_chassis.kafka_connection import client_options
from assay_chassis.outbox import QUERIES
from assay_chassis.settings import ServiceSettings

READ_AGAIN: dict[str, tuple[str, ...]] = {
    # Ends of jobs are not read again: they would be of jobs that nobody has asked for yet.
    "scheduler": ("experiment.requested", "experiment.cancel.requested"),
    "reporter": consumed_by("reporter"),
}
WITHIN_S = 60.0


class StillRunning(AssayError):
    """The services have to be stopped first."""


async def read_again(settings: ServiceSettings, since: datetime | None = None) -> dict[str, int]:
    """Lets scheduler and reporter begin anew with what the topics keep, from a time on; records by service.

    Raises StillRunning, and KafkaError."""
    return {service: await _read_again(settings, service, topics, since) for service, topics in READ_AGAIN.items()}


async def _read_again(settings: ServiceSettings, group: str, topics: Sequence[str], since: datetime | None) -> int:
    places = await _places(settings, topics)
    consumer = AIOKafkaConsumer(group_id=group, enable_auto_commit=False, **client_options(settings))
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        starts = await _starts(consumer, places, ends, since)
        await consumer.commit(starts)
        return sum(ends[place] - starts[place] for place in places)
    except (CommitFailedError, IllegalGenerationError, UnknownMemberIdError) as error:
        raise StillRunning(f"{group}: its group is in use; stop every {group} first, and wait ten seconds") from error
    finally:
        await consumer.stop()


async def _places(settings: ServiceSettings, topics: Sequence[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        described = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    return [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]


async def _starts(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], ends: dict[TopicPartition, int], since: datetime | None
) -> dict[TopicPartition, int]:
    if since is None:
        beginnings: dict[TopicPartition, int] = await consumer.beginning_offsets(places)
        return beginnings
    found = await consumer.offsets_for_times(dict.fromkeys(places, math.floor(since.timestamp() * 1000)))
    return {place: found[place].offset if found.get(place) else ends[place] for place in places}


async def publish_again(settings: ServiceSettings) -> dict[str, int]:
    """Lets the relays publish anew what went out within the last day, by the same ids; events by service.

    Raises DatabaseUnavailable."""
    counts = {}
    for service in READ_AGAIN:
        database = await Database.connect(settings.database_url, schema=service, connections=1)
        try:
            async with database.transaction() as connection:
                counts[service] = len(await connection.fetch(QUERIES.publish_again))
        finally:
            await database.close()
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when it was done; 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m assay_chassis.recovery", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("what", choices=("read-again", "publish-again"))
    when = (
        "read-again: from this time on, as 2026-01-31T12:00:00+00:00, that of a back-up say; default: all that is kept"
    )
    parser.add_argument("--since", type=datetime.fromisoformat, help=when)
    options = parser.parse_args(arguments)
    settings = ServiceSettings()
    try:
        if options.what == "read-again":
            counts, done = asyncio.run(asyncio.wait_for(read_again(settings, options.since), WITHIN_S)), "read"
        else:
            counts, done = asyncio.run(asyncio.wait_for(publish_again(settings), WITHIN_S)), "published"
    except (StillRunning, DatabaseUnavailable, KafkaError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for service, count in counts.items():
        print(f"{service}: {count} events are {done} again when it starts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
