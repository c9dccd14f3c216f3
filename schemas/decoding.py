"""From a record's bytes to an event of the contract, or to the reason why it is none. Never an exception."""

from collections.abc import Callable

import msgspec
from msgspec.structs import force_setattr
from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, from_json, to_json

from schemas.event import Event, UnknownFields, customer_key
from schemas.lenient import lenient, plain
from schemas.rejection import Explainer, Rejected, claims
from schemas.segment import Untranslatable, original_pointer, translate
from schemas.touchpoints import orders, web
from schemas.touchpoints.touchpoint import Touchpoint
from schemas.upcasts import Payload, UnknownVersion, upcast

_SEGMENT_MARK = b'"messageId"'
_NOBODY = Rejected("no_identifier", "", "no field identifies the customer")


_NOT_PLAIN = (msgspec.MsgspecError, ValueError, RecursionError)
_UNSAYABLE = InitErrorDetails(type=PydanticCustomError("value_error", "is not valid"), loc=(), input=None)


class _Reader:
    """Reads the JSON of one touchpoint's events: in its plain form fast, else leniently."""

    def __init__(self, touchpoint: Touchpoint) -> None:
        adapter = lenient(touchpoint.event)
        self._read_plain: Callable[[bytes], Event] = msgspec.json.Decoder(touchpoint.event).decode
        self._read_lenient = adapter.validator.validate_json
        self.explain = Explainer(touchpoint, adapter).explain

    def read(self, value: bytes) -> Event:
        """The event. Raises pydantic's ValidationError."""
        try:
            return self._read_plain(value)
        except _NOT_PLAIN:
            meant, unknown = plain(self._read_lenient(value))
        try:
            event = self._read_plain(meant)
        except _NOT_PLAIN as failed:
            # What no plain form can say, an integer beyond 64 bits for one.
            raise ValidationError.from_exception_data("event", [_UNSAYABLE]) from failed
        force_setattr(event, "unknown_fields", UnknownFields(unknown))
        return event


class Decoder:
    """Reads the records of one touchpoint."""

    def __init__(self, touchpoint: Touchpoint, max_bytes: int) -> None:
        self._touchpoint = touchpoint
        self._max_bytes = max_bytes
        self._reader = _Reader(touchpoint)
        self._segment = (
            {each.name: _Reader(each) for each in (web.TOUCHPOINT, orders.TOUCHPOINT)}
            if touchpoint.reads_segment
            else {}
        )

    def decode(self, key: bytes | None, value: bytes | None) -> Event | Rejected:
        """The event of a record, whose key must be that event's customer key."""
        event = self._event(value)
        if isinstance(event, Rejected):
            return event
        expected = customer_key(event)
        if expected is None:
            return _refused(event, _NOBODY)
        if key != expected.encode():
            return _refused(event, _wrong_key(key))
        return event

    def read(self, value: bytes | None) -> Event | Rejected:
        """The event of a record's value, where the key is not known."""
        event = self._event(value)
        if isinstance(event, Rejected) or customer_key(event) is not None:
            return event
        return _refused(event, _NOBODY)

    def _event(self, value: bytes | None) -> Event | Rejected:
        if value is None:
            return Rejected("null_value", "", "the record has no value")
        if len(value) > self._max_bytes:
            message = f"the record has {len(value)} bytes, at most {self._max_bytes} are taken"
            return Rejected("too_large", "", message, *claims(value[: self._max_bytes]))
        if self._segment and _SEGMENT_MARK in value:
            payload = _object(value)
            if payload is not None and "messageId" in payload and "event_id" not in payload:
                return self._read_segment(payload, value)
        try:
            event = self._reader.read(value)
        except ValidationError as error:
            return self._read_again(value, error)
        if event.schema_version != self._touchpoint.schema_version:
            return self._read_again(value, None)
        return event

    def _read_again(self, value: bytes, error: ValidationError | None) -> Event | Rejected:
        """Of an earlier version, then it is lifted first; else refused for `error`."""
        payload = _object(value)
        version = self._touchpoint.schema_version
        if payload is not None and (error is None or payload.get("schema_version", 1) != version):
            try:
                value = to_json(
                    upcast(payload, version, self._touchpoint.upcasters), inf_nan_mode="constants"
                )
                event = self._reader.read(value)
            except UnknownVersion as unknown:
                return Rejected("unknown_schema_version", "/schema_version", str(unknown), *claims(value))
            except ValidationError as still:
                error = still
            except ValueError as unreadable:
                return Rejected("invalid_value", "/schema_version", str(unreadable), *claims(value))
            else:
                return event
        assert error is not None
        return _claimed(self._reader.explain(error), value)

    def _read_segment(self, payload: Payload, value: bytes) -> Event | Rejected:
        try:
            name, translated = translate(payload)
        except Untranslatable as fault:
            return Rejected(fault.reason, fault.pointer, fault.message, *claims(value))
        reader = self._segment[name]
        try:
            return reader.read(to_json(translated, inf_nan_mode="constants"))
        except ValidationError as error:
            faults = [
                fault._replace(pointer=original_pointer(fault.pointer, payload))
                for fault in reader.explain(error).faults
            ]
            return _claimed(Rejected(*faults[0], others=tuple(faults[1:])), value)


def _object(value: bytes) -> Payload | None:
    try:
        payload = from_json(value)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def _claimed(rejected: Rejected, value: bytes) -> Rejected:
    source, event_id = claims(value)
    return rejected._replace(source=source, event_id=event_id)


def _refused(event: Event, rejected: Rejected) -> Rejected:
    return rejected._replace(source=event.source, event_id=event.event_id)


def _wrong_key(key: bytes | None) -> Rejected:
    if key is None:
        return Rejected("bad_key", "", "the record has no key")
    try:
        key.decode()
    except UnicodeDecodeError:
        return Rejected("bad_key", "", "the record's key is not UTF-8")
    return Rejected("key_mismatch", "", "the key is not that of the customer whom the event names")
