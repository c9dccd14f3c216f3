"""The task row: the only truth about a task's progress, written in the transaction of every batch."""

import msgspec

from schemas.event import Millis

TASK_ROW_KEY = b"\x00task"
"""Reserved key of the changelog; no customer's key begins with a zero byte."""

TASK_ROW_VERSION = 1


class TaskRow(msgspec.Struct, array_like=True):
    """Where a task stands. `offsets` are the next input offsets by topic; times in ms.

    `feeds` and `storms` are the packed states of the task's trackers; the versions are those that the last batch
    was decided with.
    """

    version: int = TASK_ROW_VERSION
    offsets: dict[str, int] = {}
    stream_time: Millis = 0
    timer_clock: Millis = 0
    policy_version: str = ""
    reference_version: int = 0
    model_versions: dict[str, int] = {}
    feeds: bytes = b""
    storms: bytes = b""


class NewerCode(ValueError):
    """A newer version wrote what this one would misread. The text names no customer."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TaskRow).decode


def pack_task_row(row: TaskRow) -> bytes:
    """The row's bytes."""
    return _encode(row)


def unpack_task_row(packed: bytes) -> TaskRow:
    """The row of these bytes. Raises NewerCode if this code cannot read it."""
    row = _decode(packed)
    if row.version != TASK_ROW_VERSION:
        raise NewerCode(f"a task row of version {row.version}; this code reads version {TASK_ROW_VERSION}")
    return row
