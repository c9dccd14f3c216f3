"""A silent feed is not a silent customer: which touchpoints are quieter than a healthy feed would be."""

import math

import msgspec

from schemas.event import Millis
from schemas.policy import Feeds as FeedsPolicy

_WEIGHT = 0.02
"""Weight of the newest gap in the mean: the usual gap is that of about the last hundred events."""


class Feed(msgspec.Struct, array_like=True):
    """One touchpoint's usual gap between fresh events, in others' events and in ms, and its newest one.

    `others_at` is the count of all events when it was last fresh (its own later ones, not fresh, are added,
    so that the difference counts others only), `fresh_at` the stream time of that.
    """

    events: int
    others_at: int
    fresh_at: Millis
    gap_others: float = 0.0
    gap_ms: float = 0.0


class FeedHistory(msgspec.Struct, array_like=True):
    """All that a tracker remembers; a task keeps it in its task row."""

    stream_time: Millis = 0
    events: int = 0
    feeds: dict[str, Feed] = {}  # touchpoint → feed, in the order first seen


class FeedTracker:
    """Judges each touchpoint of one task by event time and by the flow of the others, without any clock.

    Law. Let an event be *fresh* if it is no further than `catch_up` behind stream time. Say that a touchpoint
    X usually has g others' events and d ms between two fresh ones. After n others' events and t ms of stream
    time without a fresh one, a healthy X would have brought n / g events if it follows the others' flow, and
    t / d if it follows the time. Taken as Poisson, P(none) = exp(-expected). X is stale while

        exp(-min(n / g, t / d)) < chance           (chance 1e-4: at least 9.2 events are missing)

    Both must say so: in a quiet night the flow of the others falls too, and a burst of the others (a
    campaign's delivery reports) takes no time. The events of a backlog that flows in after an outage are not
    fresh, so they do not end it; the first fresh one does. Before `min_history` events nothing is said.

    Learning: g and d are exponentially weighted means of the gaps seen, each gap cut off where X would be
    stale. So an outage hardly moves what is usual, yet a lasting change is learned in some dozen events.

    Limits: one task sees its own share of a feed, so a rare feed's outage takes long to show; one silent
    source of several behind a touchpoint does not show; when everything is silent, nothing is judged.

    >>> feeds = FeedTracker(FeedsPolicy())
    >>> for second in range(2_000):
    ...     feeds.observe("web" if second % 10 else "orders", second * 1_000)
    >>> feeds.is_stale("orders")
    False
    >>> for second in range(2_000, 2_200):
    ...     feeds.observe("web", second * 1_000)
    >>> feeds.is_stale("orders")
    True
    """

    __slots__ = ("_catch_up", "_expected_max", "_min_history", "history")

    def __init__(self, policy: FeedsPolicy, history: FeedHistory | None = None) -> None:
        self._catch_up = policy.catch_up
        self._min_history = policy.min_history
        self._expected_max = -math.log(policy.chance)
        self.history = history if history is not None else FeedHistory()

    def observe(self, touchpoint: str, at: Millis) -> None:
        """Take note of an event at event time `at`, ms; once for each event, in the task's order."""
        history = self.history
        history.events += 1
        feed = history.feeds.get(touchpoint)
        if at > history.stream_time:
            history.stream_time = at
        elif at < history.stream_time - self._catch_up:
            if feed is not None:
                feed.others_at += 1
            return
        if feed is None:
            history.feeds[touchpoint] = Feed(1, history.events, history.stream_time)
        else:
            self._learn(feed, history.events, history.stream_time)

    def is_stale(self, touchpoint: str) -> bool:
        """Whether the touchpoint is so quiet that the feed must be at fault, and not the customers."""
        feed = self.history.feeds.get(touchpoint)
        if feed is None or feed.events < self._min_history:
            return False
        limit = self._expected_max
        return (
            self.history.events - feed.others_at > limit * feed.gap_others
            and self.history.stream_time - feed.fresh_at > limit * feed.gap_ms
        )

    def _learn(self, feed: Feed, events: int, stream_time: Millis) -> None:
        others: float = events - 1 - feed.others_at
        elapsed: float = stream_time - feed.fresh_at
        feed.others_at = events
        feed.fresh_at = stream_time
        if feed.events < self._min_history:
            weight = 1.0 / feed.events
        else:
            weight = _WEIGHT
            limit = self._expected_max
            # A mean of 0 could never grow again: cut off at `limit` events and ms at least.
            if others > limit * feed.gap_others:
                others = min(others, limit * max(feed.gap_others, 1.0))
            if elapsed > limit * feed.gap_ms:
                elapsed = min(elapsed, limit * max(feed.gap_ms, 1.0))
        feed.gap_others += (others - feed.gap_others) * weight
        feed.gap_ms += (elapsed - feed.gap_ms) * weight
        feed.events += 1
