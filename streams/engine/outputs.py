"""A batch as records: everything it says, what it changed and how far it came (step 6 of a batch's way)."""

from collections.abc import Iterator, Mapping

import orjson

from schemas.action import to_kafka
from schemas.dead_letter import DeadLetter
from schemas.redaction import coarsened
from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS, EXAMPLES, JOURNAL
from streams.engine.batch import Batch
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

    def check(self, batch: Batch, rows: Mapping[bytes, bytes]) -> None:
        """Raises Culprit, naming the last event folded into it, for the first row over the limit."""
        for key, packed in rows.items():
            if len(packed) > self._max_row_bytes:
                last = next((each for each in reversed(batch.applied) if each.key == key), None)
                raise Culprit((last.topic, last.offset) if last else None, "row_too_large")

    def records(
        self, batch: Batch, rows: Mapping[bytes, bytes], journal: dict[str, object] | None, progress: TaskRow
    ) -> Iterator[OutputRecord]:
        """The batch's records; the task row comes last."""
        effects = batch.effects
        for message in effects.actions:
            key, value, headers = to_kafka(message)
            yield OutputRecord(ACTIONS, key, value, list(headers))
        for decision in effects.decisions:
            yield OutputRecord(DECISIONS, decision.customer_key.encode(), decision.model_dump_json().encode())
        for example in effects.examples:
            yield OutputRecord(EXAMPLES, None, example.model_dump_json().encode())
        for letter in batch.letters:
            yield dead_letter(letter)
        for key, packed in rows.items():
            yield OutputRecord(self._changelog, key, packed)
        if journal is not None:
            yield OutputRecord(JOURNAL, None, orjson.dumps(journal))
        yield OutputRecord(self._changelog, TASK_ROW_KEY, pack_task_row(progress))


def dead_letter(letter: DeadLetter) -> OutputRecord:
    """A dead letter as a record: addresses and coordinates coarsened, an overlong original cut to what fits."""
    source = (letter.source or "").encode()
    return OutputRecord(
        DEAD_LETTERS,
        letter.key if letter.key is None else letter.key[:MAX_KEY_BYTES],
        _kept(letter).model_dump_json().encode(),
        [("reason", letter.reason.encode()), ("source", source)],
    )


def _kept(letter: DeadLetter) -> DeadLetter:
    value = letter.value
    if value is None:
        return letter
    if len(value) <= MAX_ORIGINAL_BYTES:
        return letter.model_copy(update={"value": coarsened(value)})
    note = f"{letter.message} (kept are its first {MAX_ORIGINAL_BYTES} bytes; all of it stands at its origin)"
    return letter.model_copy(update={"value": coarsened(value[:MAX_ORIGINAL_BYTES]), "message": note})
