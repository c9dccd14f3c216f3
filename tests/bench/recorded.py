"""A mix from recorded data: Taobao's two hours of dense views and the Google Merchandise Store's carts at once.

The data sets are not part of this project, since their licences may not allow it: they are looked for in a folder
beside it (DATA). One lap is both of them whole, on one axis of time. Taobao's events stay where they are within
their two hours. A customer of the store comes when it is their turn among its customers, spread over the same two
hours, and from then on keeps their own pace: those who came back after days do so in a later lap. Each lap has
customers, orders and event ids of its own.

Neither set has consents. One customer in CONSENTING gives both on arrival: with more of them, consents would crowd
out what the data say.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import count as numbers
from itertools import islice
from operator import attrgetter
from pathlib import Path
from zlib import crc32

import orjson

from schemas.event import Millis
from streams.local.adapters import gms, taobao
from streams.local.adapters.adapter import Adapter, Options
from streams.local.replayed import Replayed, iso

DATA = Path(__file__).parents[3] / "shared" / "data"
START: Millis = 1_700_000_000_000
LAP: Millis = 2 * 3_600_000
CONSENTING = 8

_SETS = ((taobao.ADAPTER, "taobao_2h"), (gms.ADAPTER, "gms_ga4"))
_OWN_IN_A_LAP = ("event_id", "customer_id", "order_id", "session_id")


def missing() -> list[Path]:
    """The folders of data that are not there."""
    return [DATA / folder for adapter, folder in _SETS if adapter.find(DATA / folder) is None]


def recorded(count: int, start: Millis = START) -> list[tuple[str, bytes, bytes, Millis]]:
    """The first `count` events from `start` on: (touchpoint, key, value, event time in ms).

    Raises FileNotFoundError.
    """
    if absent := missing():
        raise FileNotFoundError(f"no recorded data in {', '.join(map(str, absent))}")
    return [
        (each.touchpoint, each.key.encode(), orjson.dumps(each.payload), each.at)
        for each in islice(_laps(start), count)
    ]


def _laps(start: Millis) -> Iterator[Replayed]:
    """Lap after lap in time order, without end; who has not come back by a lap's end does so later."""
    (views, carts), waiting = (_read(*each) for each in _SETS), list[Replayed]()
    first = [*_from_the_beginning(views), *_each_in_turn(carts)]
    for lap in numbers():
        end = start + (lap + 1) * LAP
        come = sorted(waiting + [_in_lap(each, lap, start) for each in first], key=attrgetter("at"))
        waiting = [each for each in come if each.at >= end]
        yield from come[: len(come) - len(waiting)]


def _read(adapter: Adapter, folder: str) -> list[Replayed]:
    file = adapter.find(DATA / folder)
    assert file is not None, "missing() was asked"
    return [
        each
        for each in adapter.read(file, Options(), Counter())
        if each.touchpoint != "consent" or crc32(each.key.encode()) % CONSENTING == 0
    ]


def _from_the_beginning(events: list[Replayed]) -> Iterator[Replayed]:
    return (each._replace(at=each.at - events[0].at) for each in events)


def _each_in_turn(events: list[Replayed]) -> Iterator[Replayed]:
    came: dict[str, Millis] = {}
    for each in events:
        came.setdefault(each.key, each.at)
    turn = {key: LAP * number // len(came) for number, key in enumerate(came)}
    return (each._replace(at=turn[each.key] + each.at - came[each.key]) for each in events)


def _in_lap(event: Replayed, lap: int, start: Millis) -> Replayed:
    at = start + event.at + lap * LAP
    own = {name: f"{lap}-{event.payload[name]}" for name in _OWN_IN_A_LAP if name in event.payload}
    payload = event.payload | own | {"event_time": iso(at)}
    return Replayed(event.touchpoint, f"c:{payload['customer_id']}", at, payload)
