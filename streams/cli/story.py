"""One customer's story out of Kafka: the row from the changelog, the decisions and the actions."""

from typing import NamedTuple

from schemas.action import Action, from_kafka
from schemas.customer import Customer, unpack
from schemas.decision import Decision
from schemas.event import KEY_PREFIXES, Millis
from schemas.topics import ACTIONS, DECISIONS
from streams.cli.records import Reader
from streams.engine.partitions import partition_of
from streams.engine.task_row import TASK_ROW_KEY, unpack_task_row
from streams.serving.layout import identifiers


class Story(NamedTuple):
    """All that is known of one customer: the row, the decisions in order, the actions by id."""

    row: Customer
    decisions: list[Decision]
    actions: dict[str, Action]


def find(reader: Reader, topic: str, customer: str) -> Customer | None:
    """The customer's newest row: by key from that key's partition, else by identifier from all of them."""
    count = reader.partition_count(topic)
    names = [customer] if _is_key(customer) else [prefix + customer for _, prefix in KEY_PREFIXES]
    by_key = {name.encode() for name in names}
    newest: dict[bytes, bytes | None] = {}
    for record in reader.to_end(topic, {partition_of(key, count) for key in by_key}):
        if record.key in by_key:
            newest[record.key] = record.value
    for name in names:
        packed = newest.get(name.encode())
        if packed is not None:
            return unpack(packed)
    return _find_by_identifier(reader, topic, frozenset(names), customer.encode())


def _find_by_identifier(reader: Reader, topic: str, names: frozenset[str], raw: bytes) -> Customer | None:
    wanted = raw.partition(b":")[2] if raw.decode() in names else raw
    newest: dict[bytes, bytes] = {}
    for record in reader.to_end(topic):
        if record.key is None or record.key == TASK_ROW_KEY:
            continue
        if record.value is not None and wanted in record.value:
            newest[record.key] = record.value
        else:
            newest.pop(record.key, None)
    rows = (unpack(packed) for _, packed in sorted(newest.items()))
    return next((row for row in rows if names & identifiers(row)), None)


def story_of(reader: Reader, row: Customer) -> Story:
    """What was decided for this customer, from the one partition that has it."""
    key = row.key.encode()
    decisions, actions = [], {}
    partition = {partition_of(key, reader.partition_count(DECISIONS))}
    for record in reader.to_end(DECISIONS, partition):
        if record.key == key and record.value is not None:
            decisions.append(Decision.from_json(record.value))
    for record in reader.to_end(ACTIONS, partition):
        if record.key == key and record.value is not None:
            message = from_kafka(record.value, list(record.headers.items()))
            if isinstance(message, Action):
                actions[message.action_id] = message
    return Story(row, decisions, actions)


def stream_time(reader: Reader, topic: str, key: str) -> Millis | None:
    """How far event time has come in the task of this customer; None if it has not committed anything."""
    newest = None
    for record in reader.to_end(topic, {partition_of(key.encode(), reader.partition_count(topic))}):
        if record.key == TASK_ROW_KEY:
            newest = record.value
    return None if newest is None else unpack_task_row(newest).stream_time


def _is_key(text: str) -> bool:
    return any(text.startswith(prefix) for _, prefix in KEY_PREFIXES)
