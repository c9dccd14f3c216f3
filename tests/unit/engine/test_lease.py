"""A lease is given back while other threads may still ask Kafka about it."""

import threading
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from streams.engine import lease as module
from streams.engine.lease import Lease, LeaseLost
from streams.settings import Settings


class Consumer:
    """librdkafka's, whose commit lasts until it may end; closing it meanwhile would crash the process."""

    def __init__(self) -> None:
        self.committing, self.may_end = threading.Event(), threading.Event()
        self.is_committing = self.is_closed = self.closed_under_a_commit = False

    def commit(self, **_: Any) -> list[Any]:
        self.is_committing = True
        self.committing.set()
        assert self.may_end.wait(10)
        self.is_committing = False
        return []

    def poll(self, _: float) -> None:
        assert not self.is_closed

    def close(self) -> None:
        self.is_closed, self.closed_under_a_commit = True, self.is_committing


class Members:
    """librdkafka's consumer, as a rebalance calls it."""

    def incremental_assign(self, _: Any) -> None:
        pass

    def pause(self, _: Any) -> None:
        pass


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def lease(consumer: Consumer) -> Lease:
    made = Lease(Settings(), "app", "app-tasks")
    made._consumer = consumer  # type: ignore[assignment]
    return made


def test_leaving_waits_for_the_commits_of_other_threads(lease: Lease, consumer: Consumer) -> None:
    threads = [
        threading.Thread(target=lease.prove, args=(0,)),
        threading.Thread(target=lease.publish, args=({("touchpoints.web", 0): 5},)),
    ]
    for each in threads:
        each.start()
    assert consumer.committing.wait(10)
    leaving = threading.Thread(target=lease.leave)
    leaving.start()
    leaving.join(0.1)
    assert leaving.is_alive()
    consumer.may_end.set()
    for each in (*threads, leaving):
        each.join(10)
    assert consumer.is_closed
    assert not consumer.closed_under_a_commit


def test_who_has_left_proves_and_publishes_nothing(lease: Lease, consumer: Consumer) -> None:
    lease.leave()
    with pytest.raises(LeaseLost, match="has left"):
        lease.prove(0)
    with pytest.raises(LeaseLost, match="has left"):
        lease.publish({("touchpoints.web", 0): 5})
    assert not consumer.committing.is_set()
    lease.poll()


def test_a_commit_that_never_ends_is_not_closed_under(
    lease: Lease, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAVE_SECONDS", 0.01)
    hangs = threading.Thread(target=lease.prove, args=(0,))
    hangs.start()
    assert consumer.committing.wait(10)
    lease.leave()
    assert not consumer.is_closed
    consumer.may_end.set()
    hangs.join(10)


@pytest.mark.parametrize("goes", [Lease._lost, Lease._expelled])
def test_a_lease_that_was_away_comes_back_as_another_term(lease: Lease, goes: Any) -> None:
    group: Any = Members()
    first = TopicPartition("app-tasks", 0)
    lease._gained(group, [first, TopicPartition("app-tasks", 1)])
    began = lease.term(0), lease.term(1)
    goes(lease, group, [first])
    assert lease.wanted == {1}
    lease._gained(group, [first])
    assert lease.wanted == {0, 1}
    assert lease.term(0) != began[0]
    assert lease.term(1) == began[1]
