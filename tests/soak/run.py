"""One soak on a broker: how much flows, what befalls the workers meanwhile, and what is left of it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import yaml
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from schemas.event import Millis
from schemas.topics import DECISIONS
from tests.broker.workers import Deployment, await_true
from tests.soak import faults, lapse
from tests.soak.fleet import Broker, Died, Fleet, total
from tests.soak.flow import Flow, backlog, customers_for, producer, put
from tests.soak.samples import Moment, Sampler, Struck
from tests.soak.verdict import Compared, Outcome, judge, settle
from tests.soak.witness import Witness

WORKERS, PARTITIONS = 2, 12
SESSION_SECONDS = 6.0
CAPACITY_EVENTS, CAPACITY_RATE = 80_000, 4_000.0
CAPACITY_SECONDS = 300.0
AGED = 1 / 3
"""Of the capacity on a backlog of young customers, what is left once their rows hold years (20 KB, against 2 KB) and
are written again for nearly every event: 5,500-5,900 events/s where the backlog went by at 16,500.
"""
SHOP_DAY_MS = 4_000
LATENESS_MS = 60_000
WARM_UP_DAYS = 120
"""So many of the shop's days pass before anything is compared: in a short run they are shorter."""
RETENTION = {"retention.bytes": str(64 << 20), "segment.bytes": str(16 << 20)}
"""An hour's events need not all be on the disk at its end."""
TAKEN_SECONDS = 60.0
QUIET_SECONDS = 10.0

Say = Callable[[str], None]


class Plan(NamedTuple):
    """What is fixed before anything runs."""

    seconds: float
    seed: int
    folder: Path
    day: Millis
    """How long the shop's day is, in ms of the wall's time."""
    lateness: Millis
    """How late an event may be, ms: later than anything that befalls the deployment makes it."""

    @classmethod
    def of(cls, minutes: float, seed: int, folder: Path) -> "Plan":
        """A plan for a run of so many minutes."""
        total = minutes * 60_000
        day = round(min(SHOP_DAY_MS, total / 5 / WARM_UP_DAYS))
        return cls(minutes * 60, seed, folder, day, round(min(LATENESS_MS, max(LATENESS_MS / 3, total / 20))))


class Ran(NamedTuple):
    """What was seen, and what is said of it."""

    moments: list[Moment]
    struck: list[Struck]
    compared: list[Compared]
    figures: dict[str, float]

    @property
    def is_green(self) -> bool:
        """Whether all of it holds."""
        return all(each.is_green for each in self.compared)

    def write(self, plan: Plan) -> None:
        """The verdict, as JSON."""
        verdict = {
            "seed": plan.seed,
            "minutes": plan.seconds / 60,
            "is_green": self.is_green,
            "figures": self.figures,
            "compared": [each._asdict() for each in self.compared],
            "faults": [each._asdict() for each in self.struck],
        }
        (plan.folder / "verdict.json").write_text(json.dumps(verdict, indent=2))


def capacity(kafka: Broker, plan: Plan) -> float:
    """Events/s that the workers can take once the rows are old: a share, AGED, of what they take off a young backlog.

    Of the backlog counts what is taken from a tenth of it to nine tenths.
    """
    with _deployed(kafka, plan, "capacity") as (_, fleet):
        into = producer(kafka.bootstrap)
        for sent in backlog(plan.seed, CAPACITY_EVENTS, customers_for(CAPACITY_RATE, plan.day), plan.day):
            put(into, sent)
        into.flush(60.0)
        for _ in range(WORKERS):
            fleet.start()
        seconds = _seconds_between(fleet, CAPACITY_EVENTS // 10, CAPACITY_EVENTS * 9 // 10)
        return AGED * 0.8 * CAPACITY_EVENTS / seconds


def _seconds_between(fleet: Fleet, first: int, last: int) -> float:
    passed: list[float] = []

    def reached() -> bool:
        fleet.check()
        taken = sum(total(worker.metrics(), "consumed_total") for worker in fleet.workers)
        while len(passed) < 2 and taken >= (first, last)[len(passed)]:
            passed.append(time.monotonic())
        return len(passed) == 2

    await_true(f"{last} events taken", reached, CAPACITY_SECONDS)
    return passed[1] - passed[0]


def run(kafka: Broker, plan: Plan, rate: float, say: Say) -> Ran:
    """Let events flow at this rate, let the faults befall the workers, and judge."""
    with _deployed(kafka, plan, "workers") as (shop, fleet), ExitStack() as undo:
        _keep_little(shop)
        customers = customers_for(rate, plan.day)
        say(f"{customers:,} customers whose day lasts {plan.day / 1000:g} s; {plan.seconds / 60:g} minutes")
        flow = Flow(kafka.bootstrap, PARTITIONS, plan.seed, customers, plan.day)
        witness = Witness(kafka.bootstrap, shop.changelog, PARTITIONS, flow.tell)
        sampler = Sampler(fleet, flow, witness, plan.folder / "samples.jsonl")
        witness.start()
        undo.callback(witness.cease)
        for _ in range(WORKERS):
            fleet.start()
        fleet.await_open()
        flow.start()
        undo.callback(flow.cease)
        sampler.start()
        undo.callback(sampler.cease)
        struck: list[Struck] = []
        compared: list[Compared] = []
        try:
            scene = faults.Scene(kafka, fleet, flow, SESSION_SECONDS, Random(f"{plan.seed}:faults"))
            _befall(scene, plan, sampler, struck, say)
            flow.stop()
            lag = _await_taken(shop, witness)
            sampler.pass_by(QUIET_SECONDS)
            compared += settle(_outcome(fleet, flow, witness, lag))
            fleet.stop()
        except (Died, AssertionError) as failed:
            compared.append(Compared("the run", 0, 0, False, f"the run broke off: {failed}"))
        sampler.stop()
        witness.stop()
        figures = {
            "rate": rate,
            "sent": flow.sent,
            "customers": customers,
            "actions": witness.actions,
            "examples": witness.examples,
            "models": witness.models,
        }
        judged = judge(sampler.moments, struck, plan.seconds, rate)
        return Ran(sampler.moments, struck, [*judged, *compared], figures)


def _befall(scene: faults.Scene, plan: Plan, sampler: Sampler, struck: list[Struck], say: Say) -> None:
    """Fault after fault at its moment, each until all tasks are open again; and then the rest of the time."""
    for due in faults.schedule(plan.seconds, Random(f"{plan.seed}:schedule")):
        _pass(scene, sampler, due.at)
        at = sampler.now()
        faults.KINDS[due.name](scene)
        scene.fleet.await_open()
        struck.append(Struck(due.name, at, sampler.now()))
        say(f"{at / 60:5.1f} min  {due.name}, over after {struck[-1].until - at:.1f} s")
    _pass(scene, sampler, plan.seconds)


def _pass(scene: faults.Scene, sampler: Sampler, until: float) -> None:
    """Let time pass, and look that everybody is alive. Raises Died, or what a thread of ours ended with."""
    while sampler.now() < until:
        scene.fleet.check()
        sampler.check()
        scene.flow.check()
        sampler.pass_by(min(1.0, until - sampler.now()))


def _await_taken(shop: Deployment, witness: Witness) -> int:
    """Records that are not taken although nothing flows any more, after TAKEN_SECONDS."""
    ends = shop.ends()

    def left() -> int:
        return sum(max(0, end - witness.offsets.get(place, 0)) for place, end in ends.items())

    try:
        await_true("all records taken", lambda: not left(), TAKEN_SECONDS)
    except AssertionError:
        return left()
    return 0


def _outcome(fleet: Fleet, flow: Flow, witness: Witness, lag: int) -> Outcome:
    books = {}
    for worker in fleet.workers:
        series = worker.metrics()
        counted = sum(total(series, f"{name}_total") for name in ("applied", "duplicate", "late", "dead"))
        books[worker.name] = (total(series, "consumed_total"), counted)
    happened = {"actions": witness.actions, "examples": witness.examples, "models published": witness.models}
    return Outcome(lag, witness.doubled, witness.letters, flow.provoked, books, happened)


@contextmanager
def _deployed(kafka: Broker, plan: Plan, name: str) -> Iterator[tuple[Deployment, Fleet]]:
    """New topics, and nobody yet to work on them; whoever does is killed at the end."""
    folder = plan.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    policy = plan.folder / "policy.yaml"
    policy.write_text(yaml.safe_dump(lapse.policy(plan.day)))
    shop = Deployment(
        kafka.bootstrap,
        partitions=PARTITIONS,
        session_timeout_ms=round(SESSION_SECONDS * 1000),
        policy=policy,
        agents=["tests.soak.lapse", "tests.soak.trim"],
    )
    shop.create_topics()
    fleet = Fleet(folder, shop.environment(**lapse.environment(plan.day, plan.lateness)), PARTITIONS)
    try:
        yield shop, fleet
    finally:
        fleet.kill()


def _keep_little(shop: Deployment) -> None:
    changes = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
                for setting, value in RETENTION.items()
            ],
        )
        for name in (*(each.topic for each in shop.touchpoints), DECISIONS)
    ]
    for changed in shop.admin.incremental_alter_configs(changes).values():
        changed.result(30.0)
