"""The picture: touchpoints in, one Faust agent each; the customers' agent; the engine that feeds them from Kafka.

    touchpoint topics → Source → touchpoint agents → merge → customers agent → one transaction → actions, …

`build_app` creates everything and starts nothing; nothing is created at import.
"""

import asyncio
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import faust
import faust.app
from prometheus_client import CollectorRegistry

from models.scorers import cold_start
from schemas import topics
from schemas.customer import Customer, unpack
from schemas.policy import Policy
from schemas.policy_file import policy_version
from schemas.touchpoints import load
from schemas.touchpoints.touchpoint import Touchpoint
from streams.agents import customers, learner, touchpoints
from streams.agents.touchpoints import TouchpointReader
from streams.engine.batch import Batch
from streams.engine.deployment import deployment_of
from streams.engine.engine import Engine, task_threads
from streams.engine.learning import LearnerService
from streams.engine.lease import Lease
from streams.engine.outputs import Outputs
from streams.engine.partitions import partition_of
from streams.engine.published_models import PublishedModels
from streams.engine.reference import Reference
from streams.engine.source import Source
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.task import Surroundings, Task
from streams.engine.versions import Versions
from streams.metrics import Metrics, Tally
from streams.settings import Settings
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker
from streams.triggers.storms import StormTracker

AGENT_SECONDS = 10.0


class App(faust.App):
    """Faust's app without Faust's consumer, tables and web server: the engine feeds the agents' channels.

    A shop's own agents read `committed_events`, `committed_actions` and `committed_decisions`: what this
    worker has committed, handed over in memory after the commit. What must not be missed when a worker dies is
    read from the topics instead. A full channel holds the task back, and for too long ends the worker.
    """

    class BootStrategy(faust.app.BootStrategy):
        """Agents only."""

        enable_kafka = False
        enable_web = False

    def _create_directories(self) -> None:
        """Faust makes folders for its tables; there are none here."""

    registry: tuple[topics.Topic, ...]
    engine: Engine
    learner: LearnerService
    reference: Reference
    models: PublishedModels
    metrics: Metrics
    customers: "Customers"
    committed_events: Any
    committed_actions: Any
    committed_decisions: Any


def build_app(settings: Settings, policy: Policy) -> App:
    """Wire one worker's app. Raises ValueError for a shop's module that is no touchpoint, AgentFault."""
    app = App(settings.app_id, broker=f"kafka://{settings.bootstrap}", store="memory://", autodiscover=False)
    app.metrics = Metrics(CollectorRegistry())
    known = load(settings.touchpoints)
    app.registry = topics.topics(settings.app_id, settings.partitions, known)
    decoders = {touchpoint.topic: app.channel() for touchpoint in known}
    for touchpoint in known:
        reader = TouchpointReader(
            touchpoint,
            settings.max_record_bytes,
            policy.time.max_ahead,
            accepts_clock=settings.time == "events",
        )
        touchpoints.register(app, decoders[touchpoint.topic], reader, touchpoint.name)
    core = app.channel()
    customers.register(app, core)
    app.committed_events, app.committed_actions, app.committed_decisions = (app.channel() for _ in range(3))

    versions = Versions(policy, policy_version(policy), cold_start())
    lease, source = (
        Lease(settings, settings.app_id, topics.tasks(settings.app_id)),
        Source(settings, len(known)),
    )
    surroundings = Surroundings(
        settings=settings,
        lease=lease,
        source=source,
        versions=versions,
        outputs=Outputs(topics.changelog(settings.app_id), settings.max_row_bytes),
        changelog_topic=topics.changelog(settings.app_id),
        decoders=decoders,
        core=core,
        metrics=app.metrics,
        threads=task_threads(settings.partitions),
        committed=lambda batch: _publish(app, batch),
    )
    deployment = deployment_of(settings, (touchpoint.name for touchpoint in known))
    app.reference = Reference(settings, versions, app.metrics, deployment)
    app.models = PublishedModels(settings, versions, app.metrics)
    lessons = app.channel()
    learner.register(app, lessons)
    learner_lease = Lease(settings, f"{settings.app_id}-learner", topics.MODELS)
    app.learner = LearnerService(
        settings,
        learner_lease,
        lessons,
        app.metrics,
        surroundings.threads,
        lambda failure: app.engine.crash(failure),
    )
    app.engine = Engine(
        settings,
        lease,
        source,
        app.metrics,
        lambda number: _new_task(number, known, surroundings),
        app.registry,
        followers=(app.reference, app.models),
    )
    app.customers = Customers(app.engine.tasks, settings.partitions)
    for module in settings.agents:
        try:
            import_module(module).register(app)
        except Exception as error:
            # Somebody else's code: whatever it raises, its module is to blame.
            raise AgentFault(f"{module}: {type(error).__name__}: {error}") from error
    return app


def _new_task(number: int, known: tuple[Touchpoint, ...], surroundings: Surroundings) -> Task:
    settings, versions = surroundings.settings, surroundings.versions
    circumstances = Circumstances(
        policy=versions.policy,
        policy_version=versions.policy_version,
        scorers=dict(versions.scorers),
        feeds=FeedTracker(versions.policy.feeds),
        allowed_lateness_ms={touchpoint.name: touchpoint.allowed_lateness_ms for touchpoint in known},
        paused=versions.paused,
        reference_version=versions.reference_version,
        released=versions.released,
        storms=StormTracker(versions.policy.storms, settings.partitions),
    )
    store, tally = Store(settings.hot_rows), Tally(surroundings.metrics)
    return Task(number, TaskState(number, settings.partitions, store, circumstances, tally), surroundings)


class AgentFault(Exception):
    """A shop's module with agents cannot be imported or registered."""


class AgentStuck(Exception):
    """A shop's own agent does not read what it asked for."""


async def _publish(app: App, batch: Batch) -> None:
    """Hand the committed to the shop's own agents; where nobody listens it costs nothing.

    Raises AgentStuck if one leaves its channel full: it is broken, or too slow for this worker's load.
    """
    for name, channel, values in (
        ("committed_events", app.committed_events, batch.applied),
        ("committed_actions", app.committed_actions, batch.effects.actions),
        ("committed_decisions", app.committed_decisions, batch.effects.decisions),
    ):
        if not channel.subscriber_count:
            continue
        for value in values:
            try:
                async with asyncio.timeout(AGENT_SECONDS):
                    await channel.send(value=value)
            except TimeoutError as stuck:
                said = f"no agent has read {name} for {AGENT_SECONDS:g} s; see the log for its error"
                raise AgentStuck(said) from stuck


class Customers(Mapping[str, Customer]):
    """Read-only view of the customers whose tasks run in this worker, as last committed."""

    def __init__(self, tasks: Mapping[int, Task], partitions: int) -> None:
        self._tasks = tasks
        self._partitions = partitions

    def __getitem__(self, key: str) -> Customer:
        """The row of this key. Raises KeyError if the customer is unknown or lives in another worker."""
        packed = key.encode()
        task = self._tasks.get(partition_of(packed, self._partitions))
        if task is None or packed not in task.state.store.packed:
            raise KeyError(key)
        return unpack(task.state.store.packed[packed])

    def __iter__(self) -> Iterator[str]:
        """The keys of all customers of this worker."""
        for task in self._tasks.values():
            for key in list(task.state.store.packed):
                yield key.decode()

    def __len__(self) -> int:
        """How many customers this worker has."""
        return sum(len(task.state.store.packed) for task in self._tasks.values())
