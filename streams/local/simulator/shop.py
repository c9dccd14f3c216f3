"""The simulated shop as a whole: lives of customers, merged into one stream of events in time order."""

import heapq
from collections.abc import Iterator
from random import Random

from schemas.event import Millis
from streams.local.replayed import Replayed, in_time_order
from streams.local.simulator.catalogue import Good, catalogue
from streams.local.simulator.fulfilment import fulfilment
from streams.local.simulator.shopper import DAY, HOUR, Shopper, consent, consents, draw_shopper
from streams.local.simulator.truth import Truth
from streams.local.simulator.visit import Visit

_WITHDRAWS_PER_VISIT = 0.004
_DAYS_UNTIL_REPLACED = 20.0


class Shop:
    """A shop that opens at `start` with `customers` customers; who leaves for good is replaced by a new one.

    The same arguments give the same events, whatever else runs. `truth` fills as events are drawn.
    """

    def __init__(self, seed: int, start: Millis, customers: int) -> None:
        self.truth = Truth()
        self._seed = seed
        self._start = start
        self._customers = customers

    def events(self) -> Iterator[Replayed]:
        """All events in time order, without end: take as many as you need."""
        goods = catalogue(Random(f"{self._seed}:catalogue"))
        return in_time_order(*(self._place(number, goods) for number in range(self._customers)))

    def until(self, end: Millis) -> Iterator[Replayed]:
        """The events before `end`, in time order."""
        for event in self.events():
            if event.at >= end:
                return
            yield event

    def _place(self, number: int, goods: tuple[Good, ...]) -> Iterator[Replayed]:
        """The customers who, one after the other, take one place among the shop's customers."""
        start, generation = self._start, 0
        while True:
            generation += 1
            rng = Random(f"{self._seed}:{number}:{generation}")
            shopper = draw_shopper(f"sim-{self._seed}-{number}-{generation}", rng, goods, self.truth)
            start += int(rng.expovariate(1 / shopper.days_between_visits) * DAY)
            for event in _life(shopper, start):
                start = event.at
                yield event
            start += int(rng.expovariate(1 / _DAYS_UNTIL_REPLACED) * DAY)


def _life(shopper: Shopper, start: Millis) -> Iterator[Replayed]:
    """One customer's events in time order: visits, and between and beyond them what becomes of the orders."""
    rng = shopper.rng
    later: list[tuple[Millis, int, Replayed]] = [
        (event.at, number, event) for number, event in enumerate(consents(shopper, start))
    ]
    drawn, visits, at, stays = len(later), 0, start, True
    while stays:
        visits += 1
        visit = Visit(shopper, f"{shopper.customer_id}-{visits}", at)
        news = list(visit.events())
        if visit.basket is not None:
            news += fulfilment(shopper, visit.basket)
            stays = rng.random() >= shopper.leaves_for_good
        if rng.random() < _WITHDRAWS_PER_VISIT:
            news.append(consent(shopper, visit.at + HOUR, "withdrawn", "marketing"))
        for event in news:
            heapq.heappush(later, (event.at, drawn, event))
            drawn += 1
        if not stays:
            shopper.truth.lapses[shopper.key] = visit.at
        at = visit.at + HOUR + int(rng.expovariate(1 / shopper.days_between_visits) * DAY)
        while later and (not stays or later[0][0] < at):
            yield heapq.heappop(later)[2]
