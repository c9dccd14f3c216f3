from collections import defaultdict
from threading import Event as Signal
from typing import cast

import orjson
import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, Message, TopicPartition

from schemas.clock import decode_clock, is_clock
from schemas.touchpoints import BUILT_IN
from streams.local.replay import Progress, ReplayFailed, replay
from streams.local.replayed import Replayed, iso, millis
from streams.settings import Settings

START = millis("2026-03-01T00:00:00Z")
HOUR = 3_600_000
Partition = tuple[str, int]


def at(offset_ms: int, customer: int, touchpoint: str = "web") -> Replayed:
    payload = {"event_id": f"{customer}-{offset_ms}", "event_time": iso(START + offset_ms)}
    return Replayed(touchpoint, f"c:{customer}", START + offset_ms, payload)


def tells_time(record: Message) -> bool:
    return is_clock(cast("list[tuple[str, bytes]] | None", record.headers()))


def everything(settings: Settings) -> dict[Partition, list[Message]]:
    """All records of all touchpoint topics, by topic and partition."""
    reader = Consumer(
        {"bootstrap.servers": settings.bootstrap, "group.id": "none", "enable.partition.eof": True}
    )
    places = [TopicPartition(each.topic, p, 0) for each in BUILT_IN for p in range(settings.partitions)]
    reader.assign(places)
    found: defaultdict[Partition, list[Message]] = defaultdict(list)
    open_places = len(places)
    while open_places:
        message = reader.poll(10)
        assert message is not None
        if message.error() is not None:
            open_places -= 1
            continue
        found[str(message.topic()), int(message.partition() or 0)].append(message)
    reader.close()
    return found


def test_events_go_to_murmur2_s_partition_and_are_written_now(deployment: Settings) -> None:
    events = [at(i, i, "orders" if i % 2 else "web") for i in range(50)]
    done = replay(events, deployment, speed=None, stop=Signal())
    assert done.events == 50
    seen = []
    for (topic, partition), records in everything(deployment).items():
        for record in records:
            if tells_time(record):
                continue
            key = record.key()
            assert isinstance(key, bytes)
            assert partition == (murmur2(key) & 0x7FFFFFFF) % deployment.partitions
            assert record.timestamp()[1] > START
            seen.append((topic, key.decode(), orjson.loads(record.value() or b"")))
    expected = [(f"touchpoints.{each.touchpoint}", each.key, each.payload) for each in events]
    assert sorted(seen, key=repr) == sorted(expected, key=repr)


def test_every_partition_is_told_how_far_event_time_has_come_and_that_it_settles(
    deployment: Settings,
) -> None:
    events = [at(i * HOUR, i % 7) for i in range(40)]
    replay(events, deployment, speed=HOUR / 1000 * 50, stop=Signal(), settle_ms=5 * HOUR)
    places = everything(deployment)
    assert len(places) == len(BUILT_IN) * deployment.partitions
    told_everywhere = set()
    for records in places.values():
        told: list[int] = []
        for record in records:
            if tells_time(record):
                assert record.key() is None
                told.append(decode_clock(record.value() or b""))
            elif told:
                # What a partition was told is over: no later record there is older.
                assert millis(orjson.loads(record.value() or b"")["event_time"]) > told[-1]
        assert told == sorted(told)
        assert told[-1] == events[-1].at + 5 * HOUR
        told_everywhere.add(tuple(told))
    assert len(told_everywhere) == 1
    assert len(next(iter(told_everywhere))) > 2


def test_a_paced_replay_takes_as_long_as_its_speed_says(deployment: Settings) -> None:
    done = replay([at(0, 1), at(3_000, 2)], deployment, speed=10, stop=Signal())
    assert done.seconds >= 0.3


def test_a_live_deployment_is_told_no_time(deployment: Settings) -> None:
    live = deployment.model_copy(update={"time": "live"})
    done = replay([at(0, 1), at(HOUR, 2)], live, speed=None, stop=Signal())
    assert done.clock_records == 0
    assert sum(len(records) for records in everything(deployment).values()) == 2


def test_a_stopped_replay_delivers_what_it_sent_and_does_not_settle(deployment: Settings) -> None:
    stop = Signal()
    reports: list[int] = []

    def on_progress(progress: Progress) -> None:
        reports.append(progress.events)
        stop.set()

    done = replay([at(0, 1), at(24 * HOUR, 2)], deployment, speed=1, stop=stop, on_progress=on_progress)
    assert done.events == 1
    assert reports[-1] == 1
    records = [record for found in everything(deployment).values() for record in found]
    assert [record.key() for record in records if not tells_time(record)] == [b"c:1"]
    clocks = [decode_clock(record.value() or b"") for record in records if tells_time(record)]
    assert all(clock < START + HOUR for clock in clocks)


def test_missing_topics_are_named_with_the_way_out(kafka: str) -> None:
    settings = Settings(bootstrap=kafka, touchpoints=("tests.broker.shelf",))
    with pytest.raises(ReplayFailed, match=r"touchpoints\.shelf.*pulpero topics create"):
        replay([at(0, 1)], settings, speed=None, stop=Signal())
