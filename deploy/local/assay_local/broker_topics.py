"""The declared topics as this machine's broker makes them.
Never declares one: names, settings and partitions come from assay_schemas.
"""

from __future__ import annotations

from assay_schemas.topics import every_topic

from assay_local.broker_admin import TopicSettings

_PARTITIONS_DIVISOR = 4


def embedded_topics() -> tuple[TopicSettings, ...]:
    """Every topic with its dead-letter topic, with a quarter of production's partitions."""
    return _declared(_PARTITIONS_DIVISOR)


def production_topics() -> tuple[TopicSettings, ...]:
    """Every topic with its dead-letter topic, for a broker that is not ours."""
    return _declared(1)


def _declared(divisor: int) -> tuple[TopicSettings, ...]:
    return tuple(
        TopicSettings(topic.name, max(1, topic.partitions // divisor), topic.settings) for topic in every_topic()
    )
