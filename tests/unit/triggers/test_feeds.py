"""A silent feed is told from silent customers, by event time and the flow of the others alone."""

import msgspec
import pytest

from schemas.policy import Feeds
from streams.triggers.feeds import FeedHistory, FeedTracker

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
START = 1_700_000_000_000


def flow(
    feeds: FeedTracker, start: int, end: int, *, web: int = 2 * SECOND, orders: int | None = MINUTE
) -> FeedTracker:
    """Web events every `web` ms and orders every `orders` ms from start to end, ms after START."""
    for at in range(start, end, web):
        feeds.observe("web", START + at)
        if orders is not None and at % orders < web:
            feeds.observe("orders", START + at)
    return feeds


def healthy(until: int = 6 * HOUR) -> FeedTracker:
    return flow(FeedTracker(Feeds()), 0, until)


def test_orders_that_stop_while_web_flows_are_stale_well_before_a_cart_s_silence_is_over() -> None:
    feeds = healthy()
    assert not feeds.is_stale("orders")
    flow(feeds, 6 * HOUR, 6 * HOUR + 8 * MINUTE, orders=None)
    assert not feeds.is_stale("orders")
    flow(feeds, 6 * HOUR + 8 * MINUTE, 6 * HOUR + 11 * MINUTE, orders=None)
    assert feeds.is_stale("orders")
    assert not feeds.is_stale("web")
    flow(feeds, 6 * HOUR + 11 * MINUTE, 8 * HOUR, orders=None)
    assert feeds.is_stale("orders")


def test_the_backlog_of_an_outage_does_not_end_it_and_the_first_fresh_event_does() -> None:
    feeds = flow(healthy(), 6 * HOUR, 8 * HOUR, orders=None)
    for at in range(6 * HOUR, 8 * HOUR - 10 * MINUTE, MINUTE):
        feeds.observe("orders", START + at)
        assert feeds.is_stale("orders")
    feeds.observe("orders", START + 8 * HOUR - 10 * MINUTE)
    assert not feeds.is_stale("orders")


def test_an_outage_hardly_changes_what_is_usual() -> None:
    feeds = flow(healthy(), 6 * HOUR, 12 * HOUR, orders=None)
    flow(feeds, 12 * HOUR, 13 * HOUR)
    flow(feeds, 13 * HOUR, 13 * HOUR + 15 * MINUTE, orders=None)
    assert feeds.is_stale("orders")


def test_a_lasting_change_is_learned() -> None:
    feeds = healthy()
    flow(feeds, 6 * HOUR, 60 * HOUR, orders=20 * MINUTE)
    flow(feeds, 60 * HOUR, 61 * HOUR, orders=None)
    assert not feeds.is_stale("orders")


def test_a_normal_night_is_not_stale() -> None:
    feeds = healthy(12 * HOUR)
    stale = False
    for at in range(12 * HOUR, 20 * HOUR, MINUTE):
        flow(feeds, at, at + 1, orders=None)
        stale |= feeds.is_stale("orders") or feeds.is_stale("web")
        if at % (35 * MINUTE) == 0:
            feeds.observe("orders", START + at)
    assert not stale


def test_a_burst_of_another_feed_is_not_an_outage() -> None:
    feeds = healthy()
    for nth in range(5_000):
        feeds.observe("messages", START + 6 * HOUR + nth)
    assert not feeds.is_stale("orders")
    assert not feeds.is_stale("web")


def test_a_shop_whose_orders_are_rare_is_not_stale() -> None:
    feeds = FeedTracker(Feeds())
    for day in range(30):
        flow(feeds, day * 24 * HOUR, day * 24 * HOUR + 8 * HOUR, web=MINUTE, orders=4 * HOUR)
    flow(feeds, 30 * 24 * HOUR, 31 * 24 * HOUR, web=MINUTE, orders=None)
    assert not feeds.is_stale("orders")


@pytest.mark.parametrize("orders", [0, 19])
def test_nothing_is_said_of_a_feed_without_history(orders: int) -> None:
    feeds = FeedTracker(Feeds())
    for nth in range(orders):
        feeds.observe("orders", START + nth)
    flow(feeds, SECOND, 10 * HOUR, orders=None)
    assert not feeds.is_stale("orders")


def test_a_feed_that_is_always_late_is_never_taken_for_fresh() -> None:
    feeds = flow(healthy(), 6 * HOUR, 6 * HOUR + SECOND)
    for at in range(6 * HOUR, 7 * HOUR, 2 * SECOND):
        feeds.observe("web", START + at)
        if at % MINUTE == 0:
            feeds.observe("orders", START + at - 2 * HOUR)
    assert feeds.is_stale("orders")


def test_a_feed_s_own_late_events_are_not_the_flow_of_the_others() -> None:
    feeds = healthy()
    feeds.observe("web", START + 6 * HOUR + 15 * MINUTE)
    for nth in range(1_000):
        feeds.observe("orders", START + 5 * HOUR + nth)
    assert not feeds.is_stale("orders")


def test_the_history_goes_through_the_task_row_unchanged() -> None:
    feeds = flow(healthy(), 6 * HOUR, 7 * HOUR, orders=None)
    packed = msgspec.msgpack.encode(feeds.history)
    again = FeedTracker(Feeds(), msgspec.msgpack.decode(packed, type=FeedHistory))
    assert again.is_stale("orders")
    flow(feeds, 7 * HOUR, 8 * HOUR)
    flow(again, 7 * HOUR, 8 * HOUR)
    assert msgspec.msgpack.encode(again.history) == msgspec.msgpack.encode(feeds.history)


def test_a_web_feed_that_stops_is_stale_by_the_flow_of_the_orders() -> None:
    feeds = healthy()
    for at in range(6 * HOUR, 7 * HOUR, MINUTE):
        feeds.observe("orders", START + at)
    assert feeds.is_stale("web")
    assert not feeds.is_stale("orders")


def test_trackers_do_not_share_their_history() -> None:
    FeedTracker(Feeds()).observe("web", START)
    assert FeedTracker(Feeds()).history.feeds == {}
