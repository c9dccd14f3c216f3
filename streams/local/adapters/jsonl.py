"""JSON lines: events of our own contract (or Segment's), as they are, in the file's order.

A line is `{"touchpoint": "web", "event": {…}}`, or the bare event, whose touchpoint is the one given, or the one
whose contract has its type. Only what a replay needs is looked at (identifier and time); the deployment judges
whether the event is valid.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from schemas.event import KEY_PREFIXES, Millis
from schemas.touchpoints.touchpoint import Touchpoint
from streams.local.adapters.adapter import Adapter, NotReadable, Options
from streams.local.replayed import Replayed, millis

_IDENTIFIERS = (*KEY_PREFIXES, ("userId", "c:"), ("anonymousId", "a:"))
_TIMES = ("event_time", "originalTimestamp", "timestamp")
_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")


def owners(touchpoints: Iterable[Touchpoint]) -> dict[str, str]:
    """The touchpoint of each event type; of a type that several have, the first one's."""
    return {kind: each.name for each in reversed(tuple(touchpoints)) for kind in each.types}


def unwrap(said: Any) -> tuple[str | None, Any]:
    """The touchpoint that a line names, None if it is a bare event; and the event."""
    if isinstance(said, dict) and "event" in said and "touchpoint" in said:
        return str(said["touchpoint"]), said["event"]
    return None, said


def read(path: Path, options: Options, skipped: Counter[str]) -> Iterator[Replayed]:
    """The lines of the file, gzipped or not; empty ones are counted and left out. See `Adapter`."""
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                skipped["empty lines"] += 1
                continue
            try:
                yield _replayed(line, options)
            except ValueError as error:
                raise NotReadable(f"{path}:{number}: {error}") from error


def _replayed(line: str, options: Options) -> Replayed:
    named, event = unwrap(json.loads(line))
    if not isinstance(event, dict):
        raise ValueError("not a JSON object" if named is None else "the event is not a JSON object")
    touchpoint = named or options.touchpoint or options.owners.get(str(event.get("type")))
    if touchpoint is None:
        raise ValueError(
            "the line names no touchpoint and its type tells none; give --touchpoint web, "
            'or write {"touchpoint": "web", "event": {…}}'
        )
    return Replayed(touchpoint, _key(event), _at(event), event)


def _key(event: dict[str, Any]) -> str:
    for field, prefix in _IDENTIFIERS:
        if event.get(field):
            return f"{prefix}{event[field]}"
    raise ValueError("the event carries no identifier")


def _at(event: dict[str, Any]) -> Millis:
    for field in _TIMES:
        if isinstance(event.get(field), str):
            return millis(event[field])
    raise ValueError(f"the event has no time: none of {', '.join(_TIMES)}")


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _find(path: Path) -> Path | None:
    return path if path.is_file() and path.name.endswith(_SUFFIXES) else None


ADAPTER = Adapter("jsonl", _find, read)
