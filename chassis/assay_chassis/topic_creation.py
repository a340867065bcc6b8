"""Creates the declared topics on a broker: `python -m assay_chassis.topic_creation`.

Never changes or deletes a topic that is there.
"""

from __future__ import annotations

import argparse
import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from assay_schemas.topics import every_topic

from assay_chassis.errors import BrokerUnavailable
from assay_chassis.kafka_connection import client_options
from assay_chassis.settings import ServiceSettings

TOPIC_ALREADY_EXISTS = 36


async def create_topics(settings: ServiceSettings, replication: int, partitions: int | None = None) -> list[str]:
    """Creates what is missing; the names of the topics made.

    `partitions` replaces the declared number. Raises BrokerUnavailable with the broker's reason.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        wanted = [
            NewTopic(topic.name, partitions or topic.partitions, replication, topic_configs=topic.settings)
            for topic in every_topic()
        ]
        answer = await admin.create_topics(wanted)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"the broker did not create topics: {error}") from error
    finally:
        await admin.close()
    return [name for name, code, *_ in answer.topic_errors if _made(name, code)]


def _made(name: str, code: int) -> bool:
    if code not in (0, TOPIC_ALREADY_EXISTS):
        raise BrokerUnavailable(f"topic {name}: {for_code(code).__name__}")
    return code == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replication", type=int, default=1, help="copies of each partition; 3 in production")
    parser.add_argument("--partitions", type=int, default=None, help="partitions of each topic; default as declared")
    given = parser.parse_args()
    made = asyncio.run(create_topics(ServiceSettings(), given.replication, given.partitions))
    print(f"{len(made)} topics created")


if __name__ == "__main__":
    main()
