"""Which point of a worker's work is struck, and how: written into a file, which the worker reads."""

from pathlib import Path
from typing import Literal, NamedTuple, get_args

ARMED = "PULPERO_TEST_ARMED"
"""Environment: the file that arms this worker, as "after_init kill". Struck, it is renamed to `….struck`."""

Point = Literal[
    "before_proof",
    "after_init",
    "after_restore",
    "after_produce",
    "after_offsets",
    "end_txn_unanswered",
    "after_commit_before_show",
    "during_lease_move",
    "agent_raises",
]
"""Moments of one task's work.

- before_proof: it is to open, and has not proved its lease;
- after_init: its transactions are initialised, nothing is restored;
- after_restore: it has restored, and does not read on yet;
- after_produce: all that a batch says and changes is delivered, its progress is not even produced;
- after_offsets: its progress, which is a record of the same transaction, is delivered too;
- end_txn_unanswered: Kafka has ended the transaction, and nobody here has read its answer;
- after_commit_before_show: the answer is read, and the store does not show the batch yet;
- during_lease_move: a lease is taken away, and the task that it is for has not heard of it;
- agent_raises: the customers' agent has just changed a row, in the midst of a batch.
"""

Strike = Literal["kill", "freeze", "raise"]

POINTS: tuple[Point, ...] = get_args(Point)
STRIKES: tuple[Strike, ...] = get_args(Strike)

STRUCK, FENCES = "struck", "fences"
"""What the worker logs: of a strike, and when it has initialised a task's transactions."""


class Armed(NamedTuple):
    """What a worker's file says."""

    point: Point
    strike: Strike


def arm(file: Path, point: Point, strike: Strike) -> None:
    """Have the worker of this file struck."""
    struck(file).unlink(missing_ok=True)
    written = file.with_suffix(".new")
    written.write_text(f"{point} {strike}")
    written.rename(file)


def armed(file: Path) -> Armed:
    """What is written there."""
    return Armed(*file.read_text().split())  # type: ignore[arg-type]


def struck(file: Path) -> Path:
    """What the file is called after the strike."""
    return file.with_suffix(".struck")


def door(file: Path) -> Path:
    """While this file exists the worker does not start to work."""
    return file.with_suffix(".door")
