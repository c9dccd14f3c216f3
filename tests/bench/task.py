"""A task of the core by itself: the same for every system of the bench."""

from prometheus_client import CollectorRegistry

from models.scorers import cold_start
from schemas.event import Millis
from schemas.policy import Policy
from schemas.touchpoints import load
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.metrics import Metrics, Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker

HOT_ROWS = 20_000


def task(number: int, partitions: int, lateness: dict[str, Millis]) -> TaskState:
    """An empty task with the default policy; `lateness` by touchpoint."""
    policy = Policy(version="bench")
    circumstances = Circumstances(
        policy=policy,
        policy_version="bench",
        scorers=cold_start(),
        feeds=FeedTracker(policy.feeds),
        allowed_lateness_ms=lateness,
    )
    tally = Tally(Metrics(CollectorRegistry()))
    return TaskState(number, partitions, Store(HOT_ROWS), circumstances, tally)


def declared_lateness() -> dict[str, Millis]:
    """What each touchpoint allows."""
    return {touchpoint.name: touchpoint.allowed_lateness_ms for touchpoint in load()}
