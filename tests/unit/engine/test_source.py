"""Reading: what an error of the client's takes away is read again, and a partition that stands still is seen."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, TopicAuthorizationFailedError

from streams.engine import progress, source
from streams.engine.follower import Follower
from streams.engine.inbox import Inbox
from streams.engine.source import Reading, Source
from streams.settings import Settings

WEB, ORDERS = TopicPartition("touchpoints.web", 0), TopicPartition("touchpoints.orders", 0)


class Consumer:
    """aiokafka's, with a log of so many records a partition; `plan` says what each `getmany` does.

    A number gives that many records of every partition; an error is raised after they were taken out of the
    buffers, as aiokafka does it.
    """

    def __init__(self, ends: dict[TopicPartition, int]) -> None:
        self.ends, self.fetches = ends, 0
        self.positions: dict[TopicPartition, int] = {}
        self.plan: deque[tuple[int, KafkaError | None]] = deque()
        self.answers = True
        self.no_room: set[TopicPartition] = set()
        """The answer is full before their records."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens while the next `getmany` is under way."""

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        count, error = self.plan.popleft()
        self.fetches += self.answers
        found = {}
        for partition, position in self.positions.items():
            until = position if partition in self.no_room else min(position + count, self.ends[partition])
            offsets = range(position, until)
            found[partition] = [_record(offset) for offset in offsets]
            self.positions[partition] += len(offsets)
        self.meanwhile()
        if error is not None:
            raise error
        return {partition: records for partition, records in found.items() if records}

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        return self.ends[partition] if self.fetches else None

    highwater = last_stable_offset

    def last_poll_timestamp(self, partition: TopicPartition) -> int | None:
        return self.fetches or None


def _record(offset: int) -> Any:
    return SimpleNamespace(offset=offset, timestamp=1, key=b"c:1", value=b"{}", headers=())


class Time:
    now = 100.0


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    passing = Time()
    monkeypatch.setattr(progress, "monotonic", lambda: passing.now)
    monkeypatch.setattr(source, "monotonic", lambda: passing.now)
    monkeypatch.setattr(source, "PACE_SECONDS", 0)
    monkeypatch.setattr(source, "RETRY_SECONDS", 0)
    return passing


def _reads(
    consumer: Consumer, settings: Settings | None = None
) -> tuple[Source, dict[TopicPartition, Inbox]]:
    made = Source(settings or Settings(), 2)
    made._consumer = consumer
    inboxes = {each: Inbox(each.topic) for each in (WEB, ORDERS)}
    by_topic = {inbox.topic: inbox for inbox in inboxes.values()}
    made.add(0, Reading(by_topic, lambda: None, lambda _: None), dict.fromkeys(by_topic, 0))
    return made, inboxes


def _fetch(reads: Source, consumer: Consumer, *plan: tuple[int, KafkaError | None]) -> None:
    async def fetch() -> None:
        for each in plan:
            consumer.plan.append(each)
            await reads.fetch()

    asyncio.run(fetch())


def _standing(reads: Source) -> dict[TopicPartition, float]:
    return dict(reads.progress.standing())


def test_records_that_an_error_took_away_are_read_again(time: Time) -> None:
    consumer = Consumer({WEB: 9, ORDERS: 3})
    reads, inboxes = _reads(consumer)
    _fetch(reads, consumer, (2, None), (2, CorruptRecordException()), (2, None), (9, None))
    assert [record.offset for record in inboxes[WEB].raw] == [*range(9)]
    assert [record.offset for record in inboxes[ORDERS].raw] == [*range(3)]


def test_what_is_under_way_while_a_task_opens_again_is_not_taken(time: Time) -> None:
    consumer = Consumer({WEB: 9, ORDERS: 0})
    reads, _ = _reads(consumer)
    _fetch(reads, consumer, (4, None))
    inboxes = {each.topic: Inbox(each.topic) for each in (WEB, ORDERS)}

    def open_again() -> None:
        consumer.meanwhile = lambda: None
        reads.remove(0)
        reads.add(0, Reading(inboxes, lambda: None, lambda _: None), {WEB.topic: 1, ORDERS.topic: 0})

    consumer.meanwhile = open_again
    _fetch(reads, consumer, (2, None))
    assert not inboxes[WEB.topic].raw
    assert reads.dropped["stale_incarnation"] == 2
    _fetch(reads, consumer, (2, None))
    assert [record.offset for record in inboxes[WEB.topic].raw] == [1, 2]


def test_a_partition_gets_on_by_records_and_at_its_end_by_answers(time: Time) -> None:
    consumer = Consumer({WEB: 9, ORDERS: 0})
    reads, _ = _reads(consumer)
    _fetch(reads, consumer, (2, None))
    for now in (110.0, 120.0):
        time.now = now
        _fetch(reads, consumer, (2, None))
        assert _standing(reads) == {WEB: now, ORDERS: now}


def test_a_dead_fetch_routine_is_seen_by_its_missing_answers(time: Time) -> None:
    consumer = Consumer({WEB: 2, ORDERS: 0})
    reads, _ = _reads(consumer)
    _fetch(reads, consumer, (2, None), (2, None))
    consumer.answers, time.now = False, 110.0
    _fetch(reads, consumer, (2, None), (2, None))
    assert _standing(reads) == {WEB: 100.0, ORDERS: 100.0}
    assert not reads.progress.is_silent(10.0)
    assert reads.progress.is_silent(9.9)


def test_answers_that_cannot_be_read_are_no_progress_and_the_error_is_kept(time: Time) -> None:
    consumer = Consumer({WEB: 2, ORDERS: 0})
    reads, _ = _reads(consumer)
    _fetch(reads, consumer, (0, None))
    time.now = 110.0
    _fetch(reads, consumer, (1, TopicAuthorizationFailedError("web")), (1, CorruptRecordException()))
    assert _standing(reads) == {WEB: 100.0, ORDERS: 110.0}
    assert "CorruptRecordException" in reads.progress.error_since(100.0)
    assert reads.progress.error_since(110.1) == ""


def test_who_is_at_its_end_is_told_of_a_new_fetch_now_and_then_and_who_has_news_of_each(time: Time) -> None:
    consumer = Consumer({WEB: 9, ORDERS: 0})
    reads, inboxes = _reads(consumer)
    _fetch(reads, consumer, (2, None), (2, None))
    assert (inboxes[ORDERS].fetched_at, inboxes[ORDERS].answered_at) == (1, 2), "what it takes to be passed"
    for answer in (3, 4, 5):
        time.now += source.NOTE_SECONDS / 4
        _fetch(reads, consumer, (1, None))
        assert (inboxes[WEB].answered_at, inboxes[ORDERS].answered_at) == (answer, 2)
    time.now += source.NOTE_SECONDS / 4
    _fetch(reads, consumer, (0, None))
    assert inboxes[ORDERS].answered_at == 6


def test_an_end_that_moved_is_known_at_once_though_the_answer_has_no_record_of_it(time: Time) -> None:
    consumer = Consumer({WEB: 9, ORDERS: 0})
    reads, inboxes = _reads(consumer)
    _fetch(reads, consumer, (2, None), (2, None), (1, None))
    consumer.ends[ORDERS], consumer.no_room = 1, {ORDERS}
    assert inboxes[ORDERS].is_read_to_its_end
    _fetch(reads, consumer, (1, None))
    assert not inboxes[ORDERS].is_read_to_its_end
    consumer.positions[ORDERS] = 1  # what was there was aborted
    _fetch(reads, consumer, (1, None))
    assert inboxes[ORDERS].is_read_to_its_end


def test_where_topics_are_waited_for_everybody_is_told_of_each_fetch(time: Time) -> None:
    consumer = Consumer({WEB: 9, ORDERS: 0})
    reads, inboxes = _reads(consumer, Settings(time="events"))
    for answer in (1, 2, 3, 4):
        _fetch(reads, consumer, (1, None))
        assert inboxes[ORDERS].answered_at == answer


def test_who_is_not_read_is_not_expected_to_get_on(time: Time) -> None:
    consumer = Consumer({WEB: 2, ORDERS: 0})
    reads, _ = _reads(consumer)
    _fetch(reads, consumer, (0, None))
    reads.remove(0)
    reads._changed.set()
    reads._assign(consumer)
    assert _standing(reads) == {}


def test_an_error_that_repeats_is_logged_once_in_a_while(
    time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = Consumer({WEB: 2, ORDERS: 0})
    reads, _ = _reads(consumer)
    _fetch(reads, consumer, *[(0, CorruptRecordException())] * 50)
    assert len(caplog.messages) == 1


class Following(Follower):
    def __init__(self, consumer: Consumer) -> None:
        super().__init__(Settings(), WEB.topic)
        self.taken: list[int] = []
        self._consumer = consumer
        consumer.assign([WEB])

    def take(self, key: bytes, value: bytes | None, offset: int) -> None:
        self.taken.append(offset)


def test_a_follower_reads_again_what_an_error_took_away_and_tells_how_it_gets_on(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.engine.follower.RETRY_SECONDS", 0)
    consumer = Consumer({WEB: 9})
    consumer.plan.extend([(2, None), (2, CorruptRecordException()), (9, None)])
    follows = Following(consumer)
    with pytest.raises(IndexError):
        asyncio.run(follows.follow())
    assert follows.taken == [*range(9)]
    assert dict(follows.progress.standing()) == {WEB: 100.0}
    consumer.plan.extend([(0, None)])
    time.now = 130.0
    with pytest.raises(IndexError):
        asyncio.run(follows.follow())
    assert dict(follows.progress.standing()) == {WEB: 130.0}
