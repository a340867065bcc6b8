"""A process with librdkafka's mock cluster in it: `python -m assay_local.mock_kafka TOPICS ADDRESS`.
Keeps events in memory only; never takes part in anything but the Kafka protocol on one loopback port.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import confluent_kafka

_PRODUCER = 0
_ERROR_BYTES = 512


def library_path() -> Path:
    """The librdkafka that the confluent-kafka wheel brings along."""
    package = Path(confluent_kafka.__file__).parent
    places = [package.parent / "confluent_kafka.libs", package / ".dylibs"]
    found = [file for place in places for file in place.glob("librdkafka*")]
    if not found:
        raise FileNotFoundError(f"no librdkafka beside {package}; install confluent-kafka from its wheel")
    return found[0]


def load() -> ctypes.CDLL:
    """librdkafka with the signatures of the functions used here."""
    library = ctypes.CDLL(str(library_path()))
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    library.rd_kafka_conf_new.restype = pointer
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [ctypes.c_int, pointer, text, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    library.rd_kafka_mock_cluster_bootstraps.restype = text
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    library.rd_kafka_mock_topic_create.argtypes = [pointer, text, ctypes.c_int, ctypes.c_int]
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]
    return library


class MockCluster:
    """One mock broker in this process, with topics made in advance. It lives as long as the process."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._library = load()
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        client = self._library.rd_kafka_new(_PRODUCER, self._library.rd_kafka_conf_new(), error, _ERROR_BYTES)
        if not client:
            raise OSError(f"librdkafka did not start: {error.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(client, 1)
        if not self._cluster:
            raise OSError("librdkafka did not make a mock cluster")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        # The cluster answers five requests a second from one thread, but any number that wait at once.
        with ThreadPoolExecutor(max_workers=max(1, len(topics))) as threads:
            list(threads.map(self.create_topic, topics.keys(), topics.values()))

    @property
    def bootstrap_servers(self) -> str:
        address: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return address.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """Raises OSError when the cluster refuses the topic."""
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code:
            raise OSError(f"the mock cluster refused topic {name} (error {code})")


def main() -> None:
    """Serve the topics of the JSON file named first (name: partitions); write the address to the second."""
    topics_file, address_file = Path(sys.argv[1]), Path(sys.argv[2])
    cluster = MockCluster(json.loads(topics_file.read_text()))
    scratch = address_file.with_suffix(".new")
    scratch.write_text(cluster.bootstrap_servers)
    scratch.replace(address_file)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
