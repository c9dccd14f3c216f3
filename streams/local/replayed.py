"""An event on its way into Kafka, and what all of a replay's sources make events with."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from heapq import merge
from typing import Any, NamedTuple

from schemas.action import moment
from schemas.event import Millis, to_millis
from schemas.touchpoints.consent import Purpose

_TIME_FIELDS = frozenset(
    {"event_time", "sent_at", "promised_at", "timestamp", "originalTimestamp", "sentAt", "receivedAt"}
)


class Replayed(NamedTuple):
    """An event before it is encoded: its touchpoint, its record's key, its event time and its JSON."""

    touchpoint: str
    key: str
    at: Millis
    payload: dict[str, Any]


def in_time_order(*sources: Iterator[Replayed]) -> Iterator[Replayed]:
    """Merge sources that are each in time order; ties in the order of the arguments."""
    return merge(*sources, key=lambda event: event.at)


def shifted(event: Replayed, by: Millis) -> Replayed:
    """The event with all its times later by `by` ms, those inside its payload too."""
    return event._replace(at=event.at + by, payload=_shifted(event.payload, by))


def iso(at: Millis) -> str:
    """A moment as the payloads spell it: RFC 3339 in UTC, to the millisecond."""
    return moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(text: str) -> Millis:
    """The moment of an RFC 3339 text. Raises ValueError if it has no offset from UTC."""
    said = datetime.fromisoformat(text)
    if said.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return to_millis(said)


class Consents:
    """Consent for data that come without: each customer grants `purposes` at first sight, and says so.

    The evidence of every such event names the adapter, so that nobody takes it for a customer's word.
    """

    def __init__(self, adapter: str, source: str, purposes: tuple[Purpose, ...]) -> None:
        self._adapter = adapter
        self._source = source
        self._purposes = purposes
        self._seen: set[str] = set()

    def of(self, customer_id: str, at: Millis) -> Iterator[Replayed]:
        """The consent events that are due when `customer_id` is seen at `at`: none but the first time."""
        if customer_id in self._seen:
            return
        self._seen.add(customer_id)
        for purpose in self._purposes:
            payload = {
                "event_id": f"{self._adapter}-consent-{customer_id}-{purpose}",
                "type": "granted",
                "event_time": iso(at),
                "customer_id": customer_id,
                "source": self._source,
                "purpose": purpose,
                "evidence": f"synthesised by adapter {self._adapter}: data without consent",
            }
            yield Replayed("consent", f"c:{customer_id}", at, payload)


def _shifted(value: Any, by: Millis) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _later(each, by) if name in _TIME_FIELDS else _shifted(each, by)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_shifted(each, by) for each in value]
    return value


def _later(value: Any, by: Millis) -> Any:
    return iso(millis(value) + by) if isinstance(value, str) else value
