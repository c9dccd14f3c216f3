"""How many workers share the tasks, and how their batches are cut, shows in nothing that they write."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.topics import ACTIONS, DECISIONS, EXAMPLES
from tests.broker.reading import Record, read, rows
from tests.broker.workers import deployed
from tests.faults.replaying import Output, output
from tests.faults.sending import send
from tests.faults.stream import AFTERWARDS, Portion, Sent, clock, portions

pytestmark = [pytest.mark.broker, pytest.mark.faults]

PARTITIONS = 4
CUSTOMERS, DAYS, PORTION = 40, 8, 200
POLICY = Path(__file__).with_name("policy.yaml")
NEVER_IDLE_MS = 300_000


class Left(NamedTuple):
    """What a run leaves: rows, outputs of each partition in their order, examples as a set."""

    rows: dict[bytes, bytes]
    said: dict[tuple[str, int], list[Output]]
    examples: set[bytes | None]


def test_one_two_and_three_workers_write_the_same_bytes(kafka: str, seed: int) -> None:
    stream = portions(seed, CUSTOMERS, DAYS, PORTION)
    one, two, three = (
        _left_by(kafka, stream, workers, batch) for workers, batch in ((1, 997), (2, 17), (3, 60))
    )

    assert sum(len(said) for (topic, _), said in one.said.items() if topic == ACTIONS) > 60
    assert len(one.examples) > 30
    assert one == two
    assert one == three


def _left_by(kafka: str, stream: list[Portion], workers: int, batch: int) -> Left:
    """The log lies there, frozen, before anybody starts; the rules speak, for no model has learned enough."""
    settings = {"time": "events", "idle_ms": NEVER_IDLE_MS, "session_timeout_ms": 3_000}
    with deployed(kafka, partitions=PARTITIONS, policy=POLICY, batch_records=batch, **settings) as shop:
        end = stream[-1].at + AFTERWARDS
        for sent in (*_all_of(stream), *clock(end), *clock(end + 1)):
            send(shop, sent)
        shop.producer.flush()
        started = [shop.start() for _ in range(workers)]
        # The very last clock record of a topic waits for more of the other topics.
        shop.await_offsets({place: at - 1 for place, at in shop.ends().items()}, 60)
        assert [worker.stop() for worker in started] == [0] * workers
        decisions = read(kafka, DECISIONS)
        assert {each.json["model_version"] for each in decisions} == {0, None}
        packed = rows(read(kafka, shop.changelog))
        examples = {each.value for each in read(kafka, EXAMPLES) if each.json["kind"] == "example"}
        return Left(packed, _by_place([*decisions, *read(kafka, ACTIONS)]), examples)


def _all_of(stream: list[Portion]) -> Iterable[Sent]:
    return (sent for portion in stream for sent in (*portion.sent, *portion.clock))


def _by_place(records: Iterable[Record]) -> dict[tuple[str, int], list[Output]]:
    said: dict[tuple[str, int], list[Output]] = {}
    for each in records:
        said.setdefault((each.topic, each.partition), []).append(output(each))
    return said
