"""What was written, held against what the oracle says must be there."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from hashlib import blake2b
from typing import Any, Protocol

import pytest

from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS, EXAMPLES, JOURNAL, MODELS
from schemas.touchpoints.touchpoint import Touchpoint
from streams.engine.task_row import TASK_ROW_KEY, unpack_task_row
from streams.settings import Settings
from tests.broker.reading import Record
from tests.faults.oracle import Expected, Input, Letter, Told
from tests.faults.oracle_features import HORIZONS
from tests.faults.oracle_labels import Lesson
from tests.faults.oracle_ledger import Name
from tests.faults.oracle_models import Chunk, Published, Taught, Versions
from tests.faults.oracle_news import Said
from tests.faults.oracle_orders import ms


class Shop(Protocol):
    """A deployment, on a real Kafka or on a simulated one."""

    @property
    def settings(self) -> Settings:
        """How its workers are set."""
        ...

    @property
    def touchpoints(self) -> tuple[Touchpoint, ...]:
        """What it reads."""
        ...

    @property
    def changelog(self) -> str:
        """Its changelog's name."""
        ...

    def read(self, *names: str) -> list[Record]:
        """All committed records of the topics."""
        ...


class Written:
    """All that a read-committed consumer finds of what the workers of the deployment have committed."""

    def __init__(self, shop: Shop) -> None:
        (
            self.changelog,
            self.actions,
            self.decisions,
            self.letters,
            self._examples,
            self._models,
            self._journal,
        ) = (
            shop.read(topic)
            for topic in (shop.changelog, ACTIONS, DECISIONS, DEAD_LETTERS, EXAMPLES, MODELS, JOURNAL)
        )

    @cached_property
    def said(self) -> dict[str, Said]:
        """The decision of each id."""
        return {record.json["decision_id"]: _said(record.json) for record in self.decisions}

    @cached_property
    def names(self) -> dict[str, Name]:
        """The decision of each action's id, and how many alike there were before."""
        names: dict[str, Name] = {}
        alike: Counter[Said] = Counter()
        for decision in (record.json for record in self.decisions if record.json["action_ids"]):
            said = _said(decision)
            names[decision["action_ids"][0]] = (said, alike[said])
            alike[said] += 1
        return names

    @cached_property
    def taught(self) -> list[Taught]:
        """All that the learner reads."""
        return [Taught(record.partition, record.offset, record.json) for record in self._examples]

    @property
    def examples(self) -> list[Taught]:
        """Without watermarks, which say only how far a task has come."""
        return [each for each in self.taught if each.example["kind"] == "example"]

    @cached_property
    def published(self) -> Published:
        """Every snapshot."""
        return Published(Chunk((each.key or b"").decode(), each.value or b"") for each in self._models)

    def told(self) -> Told:
        """What the oracle cannot know from the input."""
        batches: dict[int, list[Any]] = defaultdict(list)
        for record in self.changelog:
            if record.key == TASK_ROW_KEY and record.value is not None:
                stands = unpack_task_row(record.value)
                batches[record.partition].append((sum(stands.offsets.values()), stands.model_versions))
        orders: dict[int, list[Any]] = defaultdict(list)
        for record in self._journal:
            if "order" in record.json:
                orders[record.partition].append((record.json["began"], record.json["order"]))
        versions = {task: Versions(each) for task, each in batches.items()}
        return Told(self.names, orders, versions, self.published)


def inputs(shop: Shop) -> list[Input]:
    """All records of the deployment's touchpoints."""
    records = shop.read(*(each.topic for each in shop.touchpoints))
    return [Input(r.topic, r.partition, r.offset, r.key, r.value, r.headers) for r in records]


def assert_letters(written: Written, expected: Expected) -> None:
    """Every refused and every late record is there once, with its reason, and none else."""
    found = [_letter(record) for record in written.letters]
    assert Counter(found) == Counter(expected.letters)


def assert_decisions(written: Written, expected: Expected) -> None:
    """Every decision, once, and none else: so no timer was lost. Its score is what its model says."""
    assert_equal(map(_said, (record.json for record in written.decisions)), expected.said)
    ids = Counter(record.json["decision_id"] for record in written.decisions)
    assert max(ids.values()) == 1
    scored = [record.json for record in written.decisions if record.json["model"] is not None]
    wanted = expected.scores
    assert {_said(each) for each in scored} == wanted.keys()
    for each in scored:
        word = wanted[_said(each)]
        assert (each["model"], each["model_version"]) == (word.model, word.version)
        assert each["score"] == near(word.p)


def assert_actions(written: Written, expected: Expected) -> None:
    """Each fired decision has its action exactly once, each action its decision; calls back likewise."""
    actions = [record.json for record in written.actions if _type(record) == "pulpero.action.v1"]
    fired = {
        record.json["action_ids"][0]: record.json
        for record in written.decisions
        if record.json["outcome"] == "fired"
    }
    times = Counter(action["action_id"] for action in actions)
    assert times == Counter(fired.keys())
    for action in actions:
        decision = fired[action["action_id"]]
        assert action["decision_id"] == decision["decision_id"]
        assert (action["trigger"], action["business_key"]) == (decision["trigger"], decision["business_key"])
    back = [record.json for record in written.actions if _type(record) == "pulpero.action_cancelled.v1"]
    assert times.keys() >= {each["action_id"] for each in back}
    assert max(Counter(each["action_id"] for each in back).values(), default=0) <= 1
    assert_equal(map(_called_back, back), expected.cancelled)


def assert_examples(written: Written, expected: Expected) -> None:
    """Every prediction whose outcome is known is an example, once, with what the model was shown."""
    ids = {said: decision_id for decision_id, said in written.said.items()}
    wanted = {_example_id(ids[lesson.pending.said], lesson): lesson for lesson in expected.lessons}
    assert_equal((each.example["example_id"] for each in written.examples), list(wanted))
    for each in written.examples:
        example, lesson = each.example, wanted[each.example["example_id"]]
        scored = lesson.pending.scored
        told = (example["label"], ms(example["decided_at"]), ms(example["resolved_at"]))
        assert told == (lesson.label, lesson.pending.said.at, lesson.resolved_at)
        assert (example["model"], example["model_version"]) == (scored.model, scored.version)
        assert (example["p"], example["features"]) == (near(scored.p), near(scored.shown))


def near(value: float | dict[str, float]) -> Any:
    """As close as two ways to the same number come."""
    return pytest.approx(value, rel=1e-6, abs=1e-9)


def assert_equal(found: Iterable[Any], wanted: Iterable[Any]) -> None:
    """The same things, each as often; a failure names those that differ."""
    there, due = Counter(found), Counter(wanted)
    assert {"missing": due - there, "too many": there - due} == {"missing": Counter(), "too many": Counter()}


def _example_id(decision_id: str, lesson: Lesson) -> str:
    hashed = blake2b(digest_size=16)
    for part in ("example", decision_id, str(HORIZONS[lesson.pending.scored.model])):
        hashed.update(len(part).to_bytes(4) + part.encode())
    return hashed.hexdigest()


def _letter(record: Record) -> Letter:
    letter = record.json
    origin = letter["origin"]
    return Letter(origin["topic"], origin["partition"], origin["offset"], letter["reason"])


def _said(decision: dict[str, Any]) -> Said:
    about = f"{decision['business_key']['kind']}:{decision['business_key']['id']}"
    fired = decision["outcome"] == "fired"
    return Said(
        decision["customer_key"],
        decision["trigger"],
        about,
        ms(decision["at"]) or 0,
        decision["outcome"],
        "" if fired else decision["reason_code"],
    )


def _called_back(cancelled: dict[str, Any]) -> tuple[str, str, int, str]:
    return (
        cancelled["customer_key"],
        cancelled["trigger"],
        ms(cancelled["at"]) or 0,
        cancelled["reason"],
    )


def _type(record: Record) -> str:
    return dict(record.headers)["ce_type"].decode()
