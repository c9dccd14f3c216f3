"""Laws of the merge: event-time order whatever the fetches, and nobody overtakes."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.inbox import Item, Refused, Tick
from streams.engine.merge import Merge
from tests.property.refusals import LETTER, TOPICS


def _item(at: int, topic: str, offset: int) -> Item:
    """Something with a time; every fifth tells the time, and what follows it may belie it."""
    return Tick(at, topic, offset) if at % 5 == 0 else Refused(at, topic, offset, "", LETTER)


class Log(NamedTuple):
    """Frozen logs of all topics, and how a fetcher happens to cut them."""

    times: dict[str, list[int]]
    cuts: list[tuple[str, int]]
    limits: list[int]


logs = st.builds(
    Log,
    st.fixed_dictionaries({topic: st.lists(st.integers(0, 50), max_size=12) for topic in TOPICS}),
    st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(1, 5)), max_size=30),
    st.lists(st.integers(1, 7), min_size=1, max_size=10),
)


def _feed(merge: Merge, log: Log, fetched: dict[str, int], topic: str, count: int) -> None:
    inbox = merge.inboxes[topic]
    times = log.times[topic]
    begin = fetched[topic]
    end = min(len(times), begin + count)
    inbox.put_decoded(_item(times[i], topic, i) for i in range(begin, end))
    fetched[topic] = inbox.position = end
    inbox.last_stable = len(times)
    inbox.fetched_at = 0


def _merged(log: Log) -> list[Item]:
    """Everything the merge gives when fetches and takes happen as `log` says, then to the end."""
    merge = Merge(TOPICS, idle_ms=0)
    fetched = dict.fromkeys(TOPICS, 0)
    taken: list[Item] = []
    limits = iter(log.limits * 200)
    for topic, count in log.cuts:
        _feed(merge, log, fetched, topic, count)
        taken += merge.take(next(limits))
    for topic in TOPICS:
        _feed(merge, log, fetched, topic, 100)
    while got := merge.take(next(limits)):
        taken += got
    return taken


def _sequential(log: Log) -> list[Item]:
    """The definition, one item at a time: the smallest head by (event time, topic)."""
    left = {topic: [_item(at, topic, i) for i, at in enumerate(log.times[topic])] for topic in TOPICS}
    order: list[Item] = []
    while any(left.values()):
        topic = min((t for t in TOPICS if left[t]), key=lambda t: (left[t][0].at, t))
        order.append(left[topic].pop(0))
    return order


@given(logs)
def test_a_frozen_log_is_merged_in_one_order_however_it_is_fetched(log: Log) -> None:
    assert _merged(log) == _sequential(log)


@given(logs)
def test_a_topic_that_may_have_more_is_never_passed(log: Log) -> None:
    merge = Merge(TOPICS, idle_ms=0)
    fetched = dict.fromkeys(TOPICS, 0)
    for topic, count in log.cuts:
        _feed(merge, log, fetched, topic, count)
        unread = [t for t in TOPICS if merge.inboxes[t].position is None or fetched[t] < len(log.times[t])]
        if any(not merge.inboxes[t].decoded for t in unread):
            assert merge.take(5) == []
        else:
            merge.take(1)


def test_a_topic_read_to_its_end_is_waited_for_no_longer_than_idle() -> None:
    merge = Merge(TOPICS, idle_ms=500)
    log = Log({"touchpoints.web": [1], "touchpoints.orders": [], "touchpoints.consent": []}, [], [1])
    fetched = dict.fromkeys(TOPICS, 0)
    for topic in TOPICS:
        _feed(merge, log, fetched, topic, 9)
    idle = [merge.inboxes["touchpoints.consent"], merge.inboxes["touchpoints.orders"]]
    assert merge.take(1) == []
    assert merge.waits_for() == ("touchpoints.consent", "touchpoints.orders")
    for inbox in idle:
        inbox.fetched_at = 499
    assert merge.take(1) == []
    idle[0].fetched_at = 500
    assert merge.waits_for() == ("touchpoints.orders",)
    idle[1].fetched_at = 500
    assert merge.take(1) == [_item(1, "touchpoints.web", 0)]


def test_a_quiet_night_is_no_excuse_for_not_waiting_in_the_morning() -> None:
    merge = Merge(("touchpoints.orders", "touchpoints.web"), idle_ms=500)
    for inbox in merge.inboxes.values():
        inbox.position = inbox.last_stable = inbox.fetched_at = 0
    assert merge.take(1) == []
    for inbox in merge.inboxes.values():
        inbox.fetched_at = 10_000
    merge.inboxes["touchpoints.web"].put_decoded([_item(1, "touchpoints.web", 0)])
    assert merge.take(1) == []
    merge.inboxes["touchpoints.orders"].fetched_at = 10_500
    assert merge.take(1) == [_item(1, "touchpoints.web", 0)]


def test_what_a_topic_was_told_of_time_it_is_not_waited_for() -> None:
    merge = Merge(("touchpoints.orders", "touchpoints.web"), idle_ms=500)
    orders, web = merge.inboxes["touchpoints.orders"], merge.inboxes["touchpoints.web"]
    for inbox in (orders, web):
        inbox.position = inbox.last_stable = inbox.fetched_at = 0
    orders.put_decoded([Tick(10, "touchpoints.orders", 0)])
    web.put_decoded(_item(at, "touchpoints.web", n) for n, at in enumerate((9, 10, 10, 11, 8)))
    assert [item.at for item in merge.take(9)] == [9, 10, 10, 10]
    assert merge.waits_for() == ("touchpoints.orders",)


def test_transaction_markers_at_the_end_do_not_hold_the_merge_up() -> None:
    merge = Merge(("touchpoints.web",), idle_ms=0)
    inbox = merge.inboxes["touchpoints.web"]
    inbox.put_decoded([Tick(1, "touchpoints.web", 0)])
    inbox.fetched_at = 0
    inbox.position, inbox.last_stable, inbox.high_watermark = 3, 3, 3  # offsets 1 and 2 are markers
    assert merge.take(9) == [Tick(1, "touchpoints.web", 0)]
    assert merge.is_empty


def test_a_hung_foreign_transaction_keeps_a_task_from_being_caught_up() -> None:
    merge = Merge(("touchpoints.orders",), idle_ms=0)
    inbox = merge.inboxes["touchpoints.orders"]
    inbox.position, inbox.last_stable, inbox.high_watermark, inbox.fetched_at = 5, 5, 6, 1_000
    assert inbox.is_read_to_its_end
    assert not merge.is_caught_up(since=0)
    inbox.position = inbox.last_stable = 6
    assert merge.is_caught_up(since=1_000)
    assert not merge.is_caught_up(since=1_001)
