"""Makes the topics of the registry and says where the broker's differ from them."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from time import monotonic
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from schemas.topics import Topic
from streams.settings import Settings

_TIMEOUT_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05
_ANSWER_SECONDS = 5.0
_ABSENT = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.OFFSET_NOT_AVAILABLE,
}
"""What a broker says of a partition whose leader is away."""


def create(settings: Settings, registry: tuple[Topic, ...]) -> tuple[str, ...]:
    """Make the topics that are missing and return their names, once the broker shows them.

    Those that exist are left as they are. Raises KafkaException if the broker cannot be reached or refuses one.
    """
    admin = _admin(settings)
    wanted = [
        NewTopic(each.name, each.partitions, settings.replication, config=each.settings())
        for each in registry
    ]
    made: list[str] = []
    for name, future in admin.create_topics(wanted, operation_timeout=_TIMEOUT_SECONDS).items():
        try:
            future.result(_TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        else:
            made.append(name)
    _await_visible(admin, made)
    return tuple(made)


def differences(settings: Settings, registry: tuple[Topic, ...]) -> list[str]:
    """One line for every way in which the broker's topics are not as the registry wants them.

    Raises KafkaException if the broker cannot be reached.
    """
    admin = _admin(settings)
    existing = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics
    present = [each for each in registry if each.name in existing]
    actual = _described(admin, present)
    found = [f"{each.name}: is missing" for each in registry if each.name not in existing]
    counts = {each.name: len(existing[each.name].partitions) for each in present}
    for topic in present:
        if counts[topic.name] != topic.partitions:
            found.append(_recount(topic, counts[topic.name]))
        copies = {len(each.replicas) for each in existing[topic.name].partitions.values()}
        if copies != {settings.replication}:
            has = " or ".join(map(str, sorted(copies)))
            found.append(f"{topic.name}: has replication {has}, {settings.replication} is wanted")
        found.extend(_unlike(topic, actual[topic.name]))
    return [*found, *_way_out(registry, counts)]


def faults(settings: Settings, registry: tuple[Topic, ...]) -> list[str]:
    """One line for every topic that a worker cannot run with: missing, or of another partition count.

    Raises KafkaException if the broker cannot be reached.
    """
    counts = _counts(settings, registry)
    found = [
        f"{each.name}: is missing; `pulpero topics create` makes it"
        for each in registry
        if each.name not in counts
    ]
    found.extend(
        _recount(each, counts[each.name])
        for each in registry
        if counts.get(each.name, each.partitions) != each.partitions
    )
    return [*found, *_way_out(registry, counts)]


def grown(settings: Settings, registry: tuple[Topic, ...]) -> list[str]:
    """One line for every topic with more partitions than wanted, and the way out: none of `faults`' others.

    A topic that a broker does not tell of at the moment may be there again a moment later; partitions stay.
    Raises KafkaException if the broker cannot be reached.
    """
    counts = _counts(settings, registry)
    found = [
        _recount(each, counts[each.name])
        for each in registry
        if counts.get(each.name, each.partitions) > each.partitions
    ]
    return [*found, *_way_out(registry, counts)] if found else []


def answered(settings: Settings, places: frozenset[tuple[str, int]]) -> frozenset[tuple[str, int]]:
    """For which of these partitions a leader answers now, if only to refuse. Blocks for seconds at most."""
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    # Kept in a name: with the client its questions die, and are never answered.
    client = _admin(settings)
    asked = client.list_offsets(
        {TopicPartition(*place): latest for place in places}, request_timeout=_ANSWER_SECONDS
    )
    deadline = monotonic() + 2 * _ANSWER_SECONDS
    return frozenset(
        (place.topic, place.partition) for place, future in asked.items() if _is_answered(future, deadline)
    )


def _is_answered(asked: Future[Any], deadline: float) -> bool:
    """Kafka's codes are positive, those of the client that reaches nobody are negative."""
    try:
        failure = asked.exception(max(0.0, deadline - monotonic()))
    except TimeoutError:
        return False
    if not isinstance(failure, KafkaException):
        return failure is None
    code = failure.args[0].code()
    return code > 0 and code not in _ABSENT


def _await_visible(admin: AdminClient, names: list[str]) -> None:
    """Wait until the broker tells of the topics: the controller has made them a moment before it does."""
    deadline = monotonic() + _TIMEOUT_SECONDS
    while not admin.list_topics(timeout=_TIMEOUT_SECONDS).topics.keys() >= set(names):
        if monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the new topics do not appear"))
        admin.poll(_LOOK_AGAIN_SECONDS)


def _counts(settings: Settings, registry: tuple[Topic, ...]) -> dict[str, int]:
    """How many partitions the topics have, of those that are there."""
    existing = _admin(settings).list_topics(timeout=_TIMEOUT_SECONDS).topics
    return {each.name: len(existing[each.name].partitions) for each in registry if each.name in existing}


def _recount(topic: Topic, count: int) -> str:
    said = f"{topic.name}: has {count} partitions, {topic.partitions} are wanted"
    return f"{said}; delete it and make it anew" if topic.partitions == 1 else said


def _way_out(registry: tuple[Topic, ...], counts: Mapping[str, int]) -> Iterator[str]:
    """What to do about topics with another count than the tasks': said once, nothing if there are none."""
    by_task = [each for each in registry if each.partitions > 1 and each.name in counts]
    if all(counts[each.name] == each.partitions for each in by_task):
        return
    actual = {counts[each.name] for each in by_task}
    change = "stop the workers, delete the topics, make them anew with the new count under another "
    change += "PULPERO_APP_ID, and replay the touchpoints"
    keep = f"either set PULPERO_PARTITIONS={min(actual)}, which all have; or " if len(actual) == 1 else ""
    yield (
        "the count is fixed when topics are made, because it decides whose task a customer is; way out: "
        f"{keep}{change}"
    )


def _unlike(topic: Topic, actual: dict[str, str]) -> Iterator[str]:
    for name, wanted in topic.settings().items():
        if not _same(wanted, actual.get(name)):
            yield f"{topic.name}: {name} is {actual.get(name)}, {wanted} is wanted"


def _same(wanted: str, actual: str | None) -> bool:
    """Equal as text or as numbers: the broker writes 0.1 as it likes."""
    try:
        return actual is not None and float(wanted) == float(actual)
    except ValueError:
        return wanted == actual


def _described(admin: AdminClient, present: list[Topic]) -> dict[str, dict[str, str]]:
    if not present:
        return {}
    futures = admin.describe_configs([ConfigResource(ResourceType.TOPIC, each.name) for each in present])
    return {resource.name: _values(future.result(_TIMEOUT_SECONDS)) for resource, future in futures.items()}


def _values(entries: dict[str, Any]) -> dict[str, str]:
    return {name: entry.value for name, entry in entries.items()}


def _admin(settings: Settings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.bootstrap, "socket.timeout.ms": 10_000, "log_level": 0})
