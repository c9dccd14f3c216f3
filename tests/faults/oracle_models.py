"""The oracle's models: what was published says, worked out in plain Python; and what it must have learned."""

import json
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import pairwise
from math import exp
from typing import Any, NamedTuple

import msgspec
from river import linear_model, optim, preprocessing

from tests.faults.oracle_features import Features, rule
from tests.faults.oracle_orders import Json, ms

ENOUGH = 40
"""Examples from which on the fault tests' workers let a model speak (tests/faults/eager.py)."""


class Chunk(NamedTuple):
    """A record of the topic `models`."""

    key: str
    value: bytes


class Taught(NamedTuple):
    """A record of the topic `examples`: an example, or a watermark, which has its place in the order too."""

    partition: int
    offset: int
    example: Json

    @property
    def at(self) -> int:
        return ms(self.example.get("resolved_at") or self.example["up_to"]) or 0


class Published:
    """Every snapshot ever published, by model and version, as plain data; `sets` are those of one publication."""

    def __init__(self, records: Iterable[Chunk]) -> None:
        self.sets: list[dict[str, Json]] = []
        self._by_version: dict[tuple[str, int], Json] = {}
        chunks: dict[str, bytes] = {}
        for key, value in records:
            model, _, part = key.partition("/")
            if part != "manifest":
                assert part == "0", "a snapshot of several chunks"
                chunks[model] = value
                continue
            manifest, payload = json.loads(value), chunks.pop(model)
            assert (manifest["size"], manifest["sha256"]) == (len(payload), sha256(payload).hexdigest())
            self._keep(model, msgspec.msgpack.decode(payload))

    def _keep(self, model: str, snapshot: Json) -> None:
        known = self._by_version.setdefault((model, snapshot["version"]), snapshot)
        assert known["parameters"] == snapshot["parameters"], "two models under one version"
        if not self.sets or model in self.sets[-1]:
            self.sets.append({})
        self.sets[-1][model] = snapshot

    def p(self, model: str, version: int, shown: Features) -> float:
        """The probability that this version gives."""
        if version < ENOUGH:
            assert version == 0, "a model spoke before it had learned enough"
            return rule(model, shown)
        snapshot = self._by_version[model, version]
        _, means, variances, weights, _, intercept, _ = snapshot["parameters"]
        z = intercept
        for name, mean, variance, weight in zip(snapshot["features"], means, variances, weights, strict=True):
            z += weight * (shown[name] - mean) / variance**0.5 if variance else 0.0
        return 1 / (1 + exp(-z)) if z > -30 else 0.0


class Versions:
    """Which versions a task decided with: (records taken after a batch, versions of that batch), in order."""

    def __init__(self, batches: Iterable[tuple[int, Mapping[str, int]]]) -> None:
        self._batches = list(batches)
        self._ends = [taken for taken, _ in self._batches]

    def at(self, position: int, model: str) -> int:
        """The version in force when the record at this position, counted from 0, was taken."""
        return self._batches[bisect_right(self._ends, position)][1][model]

    def only_rise(self) -> bool:
        """No task goes back to an older model."""
        return all(
            later[model] >= earlier.get(model, 0)
            for (_, earlier), (_, later) in pairwise(self._batches)
            for model in later
        )


def assert_learned(published: Published, examples: Iterable[Taught], partitions: int) -> None:
    """Each publication is what its examples teach, one after the other, all from the beginning."""
    merged = _merged(examples, partitions)
    pipelines: dict[str, Any] = {}
    learned: Counter[str] = Counter()
    reached: dict[int, int] = {}
    passed: dict[int, int] = {}
    before = -1
    for snapshots in published.sets:
        versions = {model: snapshot["version"] for model, snapshot in snapshots.items()}
        assert versions.keys() == {"cart", "churn"}
        assert sum(versions.values()) >= before, "an older publication after a newer one"
        before = sum(versions.values())
        while learned.total() < before:
            taught = merged.popleft()
            passed[taught.partition] = taught.offset + 1
            if taught.example["kind"] == "watermark":
                continue
            example, model = taught.example, taught.example["model"]
            pipelines.setdefault(model, _pipeline()).learn_one(example["features"], example["label"])
            learned[model] += 1
            reached |= passed
        assert versions == {model: learned[model] for model in versions}
        for model, snapshot in snapshots.items():
            assert snapshot["next_offsets"] == reached
            assert snapshot["parameters"] == _parameters(snapshot["features"], pipelines.get(model))


def _merged(examples: Iterable[Taught], partitions: int) -> deque[Taught]:
    """The least (time, partition) first, each partition in its own order."""
    queues: list[deque[Taught]] = [deque() for _ in range(partitions)]
    for each in examples:
        queues[each.partition].append(each)
    merged: deque[Taught] = deque()
    while any(queues):
        first = min((queue[0].at, number) for number, queue in enumerate(queues) if queue)
        merged.append(queues[first[1]].popleft())
    return merged


def _pipeline() -> Any:
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.AdaGrad(0.05))


def _parameters(names: list[str], pipeline: Any) -> list[Any]:
    scaler, regression = (pipeline or _pipeline()).steps.values()
    columns = (scaler.counts, scaler.means, scaler.vars, regression.weights, regression.optimizer.g2)
    return [
        *([column.get(name, 0) for name in names] for column in columns),
        regression.intercept,
        regression.optimizer.n_iterations,
    ]
