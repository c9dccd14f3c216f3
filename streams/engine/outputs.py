"""A batch as records: everything it says, what it changed and how far it came (step 6 of a batch's way)."""

from collections.abc import Iterator, Mapping

import orjson

from schemas.action import to_kafka
from schemas.customer import pack
from schemas.dead_letter import DeadLetter
from schemas.redaction import coarsened
from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS, EXAMPLES, JOURNAL
from streams.engine.batch import Batch, RowTooLarge
from streams.engine.commit import OutputRecord
from streams.engine.task_row import TASK_ROW_KEY, TaskRow, pack_task_row
from streams.engine.work import Culprit

MAX_ORIGINAL_BYTES = 500_000
"""In base64 and with the rest of a dead letter this stays below Kafka's usual record limit of 1 MB."""

MAX_KEY_BYTES = 4_096


class Outputs:
    """The output topics of one application."""

    def __init__(self, changelog: str, max_row_bytes: int) -> None:
        self._changelog = changelog
        self._max_row_bytes = max_row_bytes
        self.topics = (changelog, ACTIONS, DECISIONS, EXAMPLES, DEAD_LETTERS, JOURNAL)
        """All that a task writes to."""

    def pack(self, batch: Batch) -> dict[bytes, bytes]:
        """The changed rows' bytes.

        Raises RowTooLarge, or Culprit, naming what touched it last, for a row that cannot be packed at all.
        """
        rows = {}
        for key, row in batch.rows.items():
            try:
                packed = rows[key] = pack(row)
            except Exception as broken:
                raise Culprit(batch.last_touch(key)) from broken
            if len(packed) > self._max_row_bytes:
                raise RowTooLarge(key, self._max_row_bytes)
        return rows

    def records(
        self, batch: Batch, rows: Mapping[bytes, bytes], journal: dict[str, object] | None, progress: TaskRow
    ) -> Iterator[OutputRecord]:
        """The batch's records; the task row comes last."""
        effects = batch.effects
        for message in effects.actions:
            key, value, headers = to_kafka(message)
            yield OutputRecord(ACTIONS, key, value, list(headers))
        for decision in effects.decisions:
            yield OutputRecord(DECISIONS, decision.customer_key.encode(), decision.to_json())
        for example in effects.examples:
            yield OutputRecord(EXAMPLES, None, example.to_json())
        for letter in batch.letters:
            yield dead_letter(letter)
        for key, packed in rows.items():
            yield OutputRecord(self._changelog, key, packed)
        if journal is not None:
            yield OutputRecord(JOURNAL, None, orjson.dumps(journal))
        yield OutputRecord(self._changelog, TASK_ROW_KEY, pack_task_row(progress))


def dead_letter(letter: DeadLetter) -> OutputRecord:
    """A dead letter as a record: addresses and coordinates coarsened, an overlong original cut to what fits."""
    kept = _kept(letter)
    source = (letter.source or "").encode()
    headers: list[tuple[str, str | bytes | None]] = [("reason", letter.reason.encode()), ("source", source)]
    return OutputRecord(DEAD_LETTERS, kept.key, kept.to_json(), headers)


def _kept(letter: DeadLetter) -> DeadLetter:
    """Coarsened first and cut then: coarsening can make bytes longer."""
    key = None if letter.key is None else letter.key[:MAX_KEY_BYTES]
    if letter.value is None:
        return letter.replace(key=key)
    value, message = coarsened(letter.value), letter.message
    if len(value) > MAX_ORIGINAL_BYTES:
        value = value[:MAX_ORIGINAL_BYTES]
        message += f" (kept are its first {MAX_ORIGINAL_BYTES} bytes; all of it stands at its origin)"
    return letter.replace(key=key, value=value, message=message)
