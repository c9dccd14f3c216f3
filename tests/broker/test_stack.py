import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from streams.local.program import StackError, free_port
from streams.local.stack import down, embedded, up
from streams.settings import Settings


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def committed(bootstrap: str, topic: str) -> list[bytes | None]:
    """The values of partition 0 that a read-committed reader sees up to its end."""
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "none",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    reader.assign([TopicPartition(topic, 0, 0)])
    values = []
    while True:
        message: Message | None = reader.poll(10)
        assert message is not None
        if message.error() is not None:
            break
        values.append(message.value())
    reader.close()
    return values


def test_a_committed_transaction_is_seen_and_an_aborted_one_is_not(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic("stack-transactions", 1)])["stack-transactions"].result(10)
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "stack-transactions"})
    producer.init_transactions(20)
    for value, end in ((b"kept", producer.commit_transaction), (b"lost", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce("stack-transactions", value)
        producer.flush(10)
        end(20)
    assert committed(kafka, "stack-transactions") == [b"kept"]


def test_no_topic_comes_into_being_by_being_named(kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka, "allow.auto.create.topics": True})
    asked = producer.list_topics("stack-unknown", timeout=10).topics["stack-unknown"]
    assert asked.error is not None
    assert asked.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert "stack-unknown" not in producer.list_topics(timeout=10).topics


def test_the_embedded_stack_is_gone_when_its_block_ends() -> None:
    with embedded(brief=True) as stack:
        ports = [int(stack.bootstrap.split(":")[1]), urlsplit(stack.redis_url).port or 0]
        assert all(is_open(port) for port in ports)
    assert not any(is_open(port) for port in ports)


def test_up_starts_once_and_down_stops_what_up_started_and_the_data_stay(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    settings = Settings(bootstrap=f"127.0.0.1:{ports[0]}", redis_url=f"redis://127.0.0.1:{ports[1]}/0")
    try:
        first = up(settings, tmp_path)
        again = up(settings, tmp_path)
        assert [(each.name, each.already) for each in first] == [("Kafka", False), ("Redis", False)]
        assert again == [each._replace(already=True) for each in first]
        admin = AdminClient({"bootstrap.servers": settings.bootstrap})
        admin.create_topics([NewTopic("kept", 1)])["kept"].result(10)
        with pytest.raises(StackError, match="is taken by another program"):
            up(settings, tmp_path / "elsewhere")
        assert down(tmp_path) == ["redis", "kafka"]
        assert not any(is_open(port) for port in ports)
        assert down(tmp_path) == []
        up(settings, tmp_path)
        assert "kept" in admin.list_topics(timeout=10).topics
    finally:
        down(tmp_path)


def test_the_broker_says_why_it_cannot_start(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    settings = Settings(bootstrap=f"127.0.0.1:{ports[0]}", redis_url=f"redis://127.0.0.1:{ports[1]}/0")
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    (tmp_path / "kafka" / "data" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=7\n")
    with pytest.raises(StackError, match=r"(?s)kafka ended at its start:.*node id 7"):
        up(settings, tmp_path)
    assert down(tmp_path) == []
