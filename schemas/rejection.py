"""Why a record was refused, in words that repeat nothing of what it says about a person."""

import re
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from schemas.dead_letter import ReasonCode
from schemas.touchpoints.touchpoint import Touchpoint

MAX_CLAIM = 128
"""At most so many characters are believed of what a refused record says of itself."""


MAX_FAULTS = 20
"""At most so many faults of one record are told."""


class Fault(NamedTuple):
    """One thing that is wrong with a record. `pointer` is RFC 6901, of the contract's field names and of indices."""

    reason: ReasonCode
    pointer: str
    message: str


class Rejected(NamedTuple):
    """A record that is no event: its first fault, and the `others`.

    `source` and `event_id` are the record's own claims, cut short: good for counting, not to be trusted.
    """

    reason: ReasonCode
    pointer: str
    message: str
    source: str | None = None
    event_id: str | None = None
    others: tuple[Fault, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that is known to be wrong, the first first."""
        return (Fault(self.reason, self.pointer, self.message), *self.others)


_REASONS: dict[str, ReasonCode] = {
    "missing": "missing_field",
    "union_tag_not_found": "missing_field",
    "union_tag_invalid": "unknown_type",
    "finite_number": "non_finite_number",
    "bool_parsing": "wrong_type",
    "int_parsing": "wrong_type",
    "float_parsing": "wrong_type",
}
_OPAQUE = {"value_error", "assertion_error"}  # a validator's own text: it may quote the value


class Explainer:
    """Turns the errors of a touchpoint's lenient reader into reason, pointer and message."""

    def __init__(self, touchpoint: Touchpoint, reader: TypeAdapter[Any]) -> None:
        self._types = touchpoint.types
        self._is_union = len(touchpoint.classes) > 1
        self._names = _property_names(reader.json_schema())

    def explain(self, error: ValidationError) -> Rejected:
        """The first fault found, then the others, one a field; without source and event id."""
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        by_pointer: dict[str, Fault] = {}
        for each in errors[:MAX_FAULTS]:
            fault = self._fault(each)
            by_pointer.setdefault(fault.pointer, fault)
        first, *others = by_pointer.values()
        return Rejected(*first, others=tuple(others))

    def _fault(self, error: ErrorDetails) -> Fault:
        kind = error["type"]
        if kind == "json_invalid":
            return Fault("truncated_json" if "EOF" in error["msg"] else "malformed_json", "", error["msg"])
        if kind.startswith("union_tag"):
            return Fault(_REASONS[kind], "/type", self._known_types())
        path = error["loc"][1:] if self._is_union else error["loc"]
        if kind == "literal_error" and path == ("type",):
            return Fault("unknown_type", "/type", self._known_types())
        if not path and kind.endswith("_type"):
            return Fault("not_an_object", "", "an event is a JSON object")
        reason = _REASONS.get(kind, "wrong_type" if kind.endswith("_type") else "invalid_value")
        return Fault(reason, self._pointer(path), "is not valid" if kind in _OPAQUE else error["msg"])

    def _known_types(self) -> str:
        return f"the type is one of: {', '.join(self._types)}"

    def _pointer(self, path: tuple[int | str, ...]) -> str:
        """The path as far as it goes by the contract's names: a mapping's keys may be anybody's words."""
        tokens: list[str] = []
        for step in path:
            if isinstance(step, str) and step not in self._names:
                break
            tokens.append(f"/{step}")
        return "".join(tokens)


def claims(value: bytes) -> tuple[str | None, str | None]:
    """Source and event id as the bytes state them, also when they are cut or malformed further on."""
    payload = _readable_part(value)
    if not isinstance(payload, dict):
        return None, None
    source = payload.get("source")
    if source is None and "messageId" in payload:
        source = segment_source(payload.get("context"))
    return _claim(source), _claim(payload.get("event_id") or payload.get("messageId"))


def segment_source(context: object) -> str:
    """The producer's name of a Segment payload: the library that wrote it."""
    library = context.get("library") if isinstance(context, dict) else None
    name = library.get("name") if isinstance(library, dict) else None
    return f"segment:{name}"[:MAX_CLAIM] if isinstance(name, str) else "segment"


def _claim(value: object) -> str | None:
    return value[:MAX_CLAIM] if isinstance(value, str) and value else None


def _readable_part(value: bytes) -> object:
    try:
        return from_json(value, allow_partial=True)
    except ValueError as error:
        fault = re.search(r"line (\d+) column (\d+)", str(error))
    if fault is None:
        return None
    line, column = int(fault[1]), int(fault[2])
    before = sum(len(each) for each in value.splitlines(keepends=True)[: line - 1])
    try:
        return from_json(value[: before + column - 1], allow_partial=True)
    except ValueError:
        return None


def _property_names(schema: Any) -> frozenset[str]:
    names: set[str] = set()
    if isinstance(schema, dict):
        properties = schema.get("properties")
        names.update(properties if isinstance(properties, dict) else ())
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            names |= _property_names(part)
    return frozenset(names)
