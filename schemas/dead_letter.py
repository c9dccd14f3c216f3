"""A record that could not be taken, kept with the reason so that it can be mended and sent again."""

from typing import Literal

from schemas.contract import Contract
from schemas.event import Millis

ReasonCode = Literal[
    "truncated_json",
    "malformed_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "invalid_value",
    "non_finite_number",
    "unknown_type",
    "unknown_schema_version",
    "null_value",
    "bad_key",
    "key_mismatch",
    "no_identifier",
    "wrong_partition",
    "time_in_future",
    "too_large",
    "late",
    "row_too_large",
    "poison",
]


class Origin(Contract):
    """Where the record stood."""

    topic: str
    partition: int
    offset: int
    appended_at: Millis


class DeadLetter(Contract):
    """The original bytes (addresses and coordinates coarsened), where they stood and why they were refused.

    `pointer` is an RFC 6901 JSON pointer to the field at fault, empty for the record as a whole.
    In JSON, bytes are base64.
    """

    origin: Origin
    source: str | None
    event_id: str | None
    reason: ReasonCode
    pointer: str = ""
    message: str
    key: bytes | None
    value: bytes | None
