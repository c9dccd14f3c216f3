"""From a record's bytes to an event of the contract, or to the reason why it is none. Never an exception."""

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from schemas.event import Event, customer_key
from schemas.rejection import Explainer, Rejected, claims
from schemas.segment import Untranslatable, original_pointer, translate
from schemas.touchpoints import orders, web
from schemas.touchpoints.touchpoint import Touchpoint
from schemas.upcasts import Payload, UnknownVersion, upcast

_SEGMENT_MARK = b'"messageId"'
_NOBODY = Rejected("no_identifier", "", "no field identifies the customer")


class Decoder:
    """Reads the records of one touchpoint. A good record costs one pass of pydantic over its bytes."""

    def __init__(self, touchpoint: Touchpoint, max_bytes: int) -> None:
        self._touchpoint = touchpoint
        self._max_bytes = max_bytes
        self._validate = _validator(touchpoint)
        self._explainer = Explainer(touchpoint)
        self._segment = (
            {each.name: (_validator(each), Explainer(each)) for each in (web.TOUCHPOINT, orders.TOUCHPOINT)}
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
            event: Event = self._validate(value)
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
                event: Event = self._validate(value)
            except UnknownVersion as unknown:
                return Rejected("unknown_schema_version", "/schema_version", str(unknown), *claims(value))
            except ValidationError as still:
                error = still
            except ValueError as unreadable:
                return Rejected("invalid_value", "/schema_version", str(unreadable), *claims(value))
            else:
                return event
        assert error is not None
        return _claimed(self._explainer.explain(error), value)

    def _read_segment(self, payload: Payload, value: bytes) -> Event | Rejected:
        try:
            name, translated = translate(payload)
        except Untranslatable as fault:
            return Rejected(fault.reason, fault.pointer, fault.message, *claims(value))
        validate, explainer = self._segment[name]
        try:
            event: Event = validate(to_json(translated, inf_nan_mode="constants"))
        except ValidationError as error:
            faults = [
                fault._replace(pointer=original_pointer(fault.pointer, payload))
                for fault in explainer.explain(error).faults
            ]
            return _claimed(Rejected(*faults[0], others=tuple(faults[1:])), value)
        return event


def _validator(touchpoint: Touchpoint) -> Callable[[bytes], Any]:
    return TypeAdapter[Any](touchpoint.event).validator.validate_json


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
