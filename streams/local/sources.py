"""What a replay can be of: files of any adapter's kind, and the demo's mixture."""

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from schemas.event import Millis
from streams.local.adapters import adapter_of, uci
from streams.local.adapters.adapter import NotReadable, Options
from streams.local.replayed import Replayed, in_time_order, shifted
from streams.local.simulator.shop import Shop


class Extent(NamedTuple):
    """How many events there are, from when to when, and of which touchpoints."""

    events: int
    first: Millis
    last: Millis
    touchpoints: frozenset[str]


def of_files(paths: Iterable[Path], options: Options, skipped: Counter[str]) -> Iterator[Replayed]:
    """The events of all files, merged in time order. Raises NotReadable."""
    found = [adapter_of(path) for path in paths]
    return in_time_order(*(adapter.read(file, options, skipped) for adapter, file in found))


def extent(events: Iterable[Replayed]) -> Extent:
    """Read all events once. Raises NotReadable if there are none."""
    count, first, last = 0, None, 0
    touchpoints = set()
    for event in events:
        count += 1
        first = event.at if first is None else min(first, event.at)
        last = max(last, event.at)
        touchpoints.add(event.touchpoint)
    if first is None:
        raise NotReadable("there are no events to replay")
    return Extent(count, first, last, frozenset(touchpoints))


def demo(seed: int, start: Millis, customers: int) -> tuple[Iterator[Replayed], Shop]:
    """Real purchases (the shipped part of UCI Online Retail) among a simulated shop's visits, from `start`.

    In time order and without end: the shop goes on when the real year is over. `customers` are the shop's.
    """
    real = Path(str(files("streams.local") / "data" / "online_retail.csv.gz"))
    purchases = uci.read(real, Options(), Counter())
    first = next(purchases)
    moved = (shifted(event, start - first.at) for event in chain([first], purchases))
    shop = Shop(seed, start, customers)
    return in_time_order(moved, shop.events()), shop
