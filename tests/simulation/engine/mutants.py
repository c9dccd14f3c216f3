"""The engine with one fault each: the simulation must find every one of them."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, NamedTuple

import pytest

from schemas.event import Millis
from streams.engine import fence
from streams.engine.batch import Batch
from streams.engine.commit import Transaction
from streams.engine.fence import Fence
from streams.engine.inbox import Inbox
from streams.engine.intake import Intake
from streams.engine.lease import Lease
from streams.engine.source import Reading, Source
from streams.engine.state import TaskState
from streams.engine.undecided import Ends, read_ends
from streams.settings import Settings


def opens_without_fencing(patch: pytest.MonkeyPatch) -> None:
    """Every opening has a transactional id of its own, so nobody is fenced."""
    openings = count()

    def transaction(settings: Settings, transactional_id: str, number: int) -> Transaction:
        return Transaction(settings, f"{transactional_id}-{next(openings)}", number)

    patch.setattr(fence, "Transaction", transaction)


def opens_without_init(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Transaction, "open", lambda transaction: None)


def leaves_what_has_no_marker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fence, "_undecided", lambda ends: [])


def aborts_all_that_has_no_marker(patch: pytest.MonkeyPatch) -> None:
    """Also what was shown in part."""

    async def judged(*asked: Any) -> dict[Any, bool]:
        ends: Mapping[Any, Ends] = asked[3]
        return {each: False for each, found in ends.items() if found.is_undecided}

    patch.setattr(fence, "are_committed", judged)


def takes_what_it_settled_for_decided(patch: pytest.MonkeyPatch) -> None:
    """The markers of settling can be lost, too."""
    settle = Fence._settle
    settled: set[int] = set()

    async def settling(opening: Fence, ends: Any, on_wait: Any) -> None:
        await settle(opening, ends, on_wait)
        settled.add(id(opening._partitions))

    async def reading(consumer: Any, partitions: list[Any], on_wait: Any) -> Any:
        if id(partitions) in settled:
            settled.remove(id(partitions))
            return {}
        return await read_ends(consumer, partitions, on_wait)

    patch.setattr(Fence, "_settle", settling)
    patch.setattr(fence, "read_ends", reading)


def goes_on_after_all_brokers_were_away(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Transaction, "check", lambda transaction: None)


def does_not_seek_after_a_failure(patch: pytest.MonkeyPatch) -> None:
    """A task that opens again is read for from where the fetches had come to."""
    add, remove = Source.add, Source.remove
    came_to: dict[tuple[int, int], dict[str, int]] = {}

    def removed(source: Source, number: int) -> None:
        came_to[id(source), number] = {
            partition.topic: offset
            for partition, offset in source._next.items()
            if partition.partition == number
        }
        remove(source, number)

    def added(source: Source, number: int, reading: Reading, offsets: Mapping[str, int]) -> None:
        add(source, number, reading, {**offsets, **came_to.get((id(source), number), {})})

    patch.setattr(Source, "remove", removed)
    patch.setattr(Source, "add", added)


def keeps_the_queues_of_a_failed_incarnation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Intake, "reset", lambda intake: None)


def fires_timers_after_the_batch(patch: pytest.MonkeyPatch) -> None:
    advance = TaskState.advance

    def move_time(state: TaskState, at: Millis, batch: Batch) -> bool:
        state.stream_time = max(state.stream_time, at)
        state.timer_clock = max(state.timer_clock, at - state.circumstances.policy.time.grace)
        return True

    def advanced(state: TaskState, batch: Batch, number: int) -> None:
        advance(state, batch, number)
        if batch.is_done:
            state._rings_left = 1_000_000
            state._ring_until(state.timer_clock, batch)

    patch.setattr(TaskState, "_move_time", move_time)
    patch.setattr(TaskState, "advance", advanced)


def opens_without_the_leases_proof(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lease, "prove", lambda lease, number: None)


def is_caught_up_at_the_last_stable_offset(patch: pytest.MonkeyPatch) -> None:
    def is_caught_up(inbox: Inbox, since: Millis) -> bool:
        return inbox.is_read_to_its_end and inbox.fetched_at is not None and inbox.fetched_at >= since

    patch.setattr(Inbox, "is_caught_up", is_caught_up)


def believes_an_answer_when_it_reads_it(patch: pytest.MonkeyPatch) -> None:
    """What Kafka said before the process was stopped counts as new when it wakes."""
    note_progress = Source._note_progress

    async def noted(source: Source, consumer: Any) -> None:
        await note_progress(source, consumer)
        for partition in consumer.assignment():
            if partition in source._next and partition not in source._seeking:
                inbox = source._readings[partition.partition].inboxes[partition.topic]
                inbox.fetched_at = consumer.last_poll_timestamp(partition)

    patch.setattr(Source, "_note_progress", noted)


class Mutant(NamedTuple):
    """A fault, and the seeds of which one at least finds it."""

    fault: Callable[[pytest.MonkeyPatch], None]
    seeds: range


_ANY = range(60)
_LIVE = range(2, 330, 3)
_SETTLING = range(170, 200)
"""Among which markers of settling are lost."""

MUTANTS = (
    Mutant(opens_without_fencing, _ANY),
    Mutant(opens_without_init, range(1)),
    Mutant(leaves_what_has_no_marker, _ANY),
    Mutant(aborts_all_that_has_no_marker, _ANY),
    Mutant(takes_what_it_settled_for_decided, _SETTLING),
    Mutant(goes_on_after_all_brokers_were_away, _ANY),
    Mutant(does_not_seek_after_a_failure, _ANY),
    Mutant(keeps_the_queues_of_a_failed_incarnation, _ANY),
    Mutant(fires_timers_after_the_batch, _ANY),
    Mutant(opens_without_the_leases_proof, _ANY),
    Mutant(is_caught_up_at_the_last_stable_offset, _LIVE),
    Mutant(believes_an_answer_when_it_reads_it, _LIVE),
)
