"""What becomes of records without a marker, read from logs as Kafka may have left them."""

from typing import Literal, NamedTuple

import pytest
from aiokafka import TopicPartition

from schemas.topics import ACTIONS, DECISIONS
from streams.engine.commit import NUMBER
from streams.engine.consumers import connected
from streams.engine.undecided import are_committed, read_ends
from streams.settings import Settings
from tests.broker.events import START
from tests.simulation.engine.broker import Broker, Txn
from tests.simulation.engine.world import World, inhabited

CHANGELOG = "changelog"
ALL = (CHANGELOG, ACTIONS, DECISIONS)

Fate = Literal["committed", "aborted"]


class Wrote(NamedTuple):
    """A transaction: the number of its batch, what it wrote to, how that ended, and where it has no marker."""

    number: bytes | None
    topics: tuple[str, ...] = ALL
    fate: Fate = "committed"
    lost: tuple[str, ...] = ()
    records: int = 2


FIRST = Wrote(b"6")


@pytest.mark.parametrize(
    ("log", "known", "verdicts"),
    [
        pytest.param([FIRST], 0, {}, id="nothing is undecided"),
        pytest.param([FIRST, Wrote(b"7", lost=ALL)], 0, dict.fromkeys(ALL, False), id="nobody has seen any"),
        pytest.param([Wrote(b"1", lost=ALL)], 0, dict.fromkeys(ALL, False), id="there was nothing before"),
        pytest.param(
            [FIRST, Wrote(b"7", lost=ALL)], 7, dict.fromkeys(ALL, True), id="Kafka has acknowledged it"
        ),
        pytest.param(
            [FIRST, Wrote(b"7", lost=(CHANGELOG, DECISIONS))],
            0,
            {CHANGELOG: True, DECISIONS: True},
            id="another output shows it",
        ),
        pytest.param([FIRST, Wrote(b"7", lost=(ACTIONS,))], 0, {ACTIONS: True}, id="the changelog shows it"),
        pytest.param(
            [FIRST, Wrote(b"7", lost=(ACTIONS,)), Wrote(b"8", (CHANGELOG, DECISIONS))],
            0,
            {ACTIONS: True},
            id="the changelog shows later ones",
        ),
        pytest.param(
            [
                FIRST,
                Wrote(b"7", lost=(ACTIONS,)),
                Wrote(b"8", (CHANGELOG, DECISIONS)),
                Wrote(None, (CHANGELOG, DECISIONS), "aborted", records=150),
            ],
            0,
            {ACTIONS: True},
            id="much was aborted behind it",
        ),
        pytest.param(
            [FIRST, Wrote(b"7", ALL, "aborted", lost=(ACTIONS,))], 0, {ACTIONS: False}, id="it was aborted"
        ),
        pytest.param(
            [FIRST, Wrote(None, lost=ALL)], 6, dict.fromkeys(ALL, False), id="it was not written to its end"
        ),
        pytest.param(
            [FIRST, Wrote(b"many", lost=ALL)], 6, dict.fromkeys(ALL, False), id="it has no number of ours"
        ),
    ],
)
def test_records_without_a_marker_get_the_one_that_their_batch_got(
    log: list[Wrote], known: int, verdicts: dict[str, bool]
) -> None:
    world = World(0, START, 1, 3_000)
    world.is_calm = True
    for wrote in log:
        _write(world.broker, wrote)

    with inhabited(world):
        job = world.loop.spawn(None, _verdicts(known))
        assert world.loop.run_until(job.done, 60.0)
        world.loop.end()

    assert job.result() == verdicts


async def _verdicts(known: int) -> dict[str, bool]:
    settings = Settings(app_id="simulated")
    places = [TopicPartition(topic, 0) for topic in ALL]
    async with connected(settings.bootstrap) as consumer:
        ends = await read_ends(consumer, places, lambda: None)
    found = await are_committed(settings, places[0], known, ends, lambda: None)
    return {place.topic: verdict for place, verdict in found.items()}


def _write(broker: Broker, wrote: Wrote) -> None:
    txn = Txn("somebody")
    for topic in wrote.topics:
        for left in reversed(range(wrote.records)):
            is_numbered = wrote.number is not None and not left
            headers = [(NUMBER, wrote.number or b"")] if is_numbered else []
            broker.append((topic, 0), b"key", b"value", headers, txn)
    broker.mark(txn, wrote.fate, lambda place: place[0] in wrote.lost)
