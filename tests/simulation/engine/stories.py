"""What befalls a shop: its customers, its producers' transactions, and workers that come, go, stall and die."""

import asyncio
from random import Random
from typing import Any

import orjson

from schemas.event import Millis
from tests.broker.events import added, event, key_of, placed
from tests.faults import stream
from tests.faults.stream import Portion, Sent
from tests.simulation.engine.broker import Txn
from tests.simulation.engine.shop import Shop
from tests.simulation.engine.worker import Worker

_CUSTOMERS = 8
"""Of a live shop."""
LONGEST_SILENCE: Millis = 12_000
"""After which the live policy speaks of a cart."""


async def by_events(shop: Shop, portions: tuple[Portion, ...]) -> None:
    """The shop's life while workers come and go, then calm, then the end of all that is open."""
    world = shop.world
    disturbing = world.loop.spawn(None, _disturb(shop))
    for portion in portions:
        await _feed(shop, portion)
        await asyncio.sleep(shop.rng.uniform(0.05, 0.8))
    await disturbing
    world.is_calm = True
    # What lost its markers after it was answered is decided with the next record, if there is one.
    for sent in stream.clock(portions[-1].at):
        shop.send(sent)
    await _all_taken(shop)
    for sent in stream.clock(portions[-1].at + stream.AFTERWARDS):
        shop.send(sent)
    await _all_taken(shop)
    await _all_stopped(shop)


async def _all_stopped(shop: Shop) -> None:
    for worker in shop.alive:
        worker.stop()
    while shop.alive:
        await asyncio.sleep(0.2)


async def _all_taken(shop: Shop) -> None:
    while not shop.has_taken_everything:
        await asyncio.sleep(0.3)
        if not shop.alive:
            shop.start()


async def _feed(shop: Shop, portion: Portion) -> None:
    """Most records come by themselves; some in a transaction that ends later, or comes to nothing and is told again."""
    world, rng = shop.world, shop.rng
    drawn = rng.random()
    if drawn < 0.1:
        await _feed_in_vain(shop, portion)
    txn = Txn("the shop") if drawn > 0.8 else None
    for sent in portion.sent:
        shop.send(sent, txn)
        if rng.random() < 0.1:
            await asyncio.sleep(rng.uniform(0.0, 0.1))
    for sent in portion.clock:
        shop.send(sent)
    if txn is not None:
        world.loop.outside(rng.uniform(0.0, 3.0), world.broker.mark, txn, "committed")


async def _feed_in_vain(shop: Shop, portion: Portion) -> None:
    txn = Txn("the shop")
    for sent in portion.sent:
        shop.send(sent, txn)
    shop.world.loop.outside(shop.rng.uniform(0.0, 2.0), shop.world.broker.mark, txn, "aborted")


async def _disturb(shop: Shop) -> None:
    """1, 2, 3 and 1 workers again; what a strike has killed is replaced."""
    rng = shop.rng
    wanted = 1
    for step in range(rng.randrange(5, 9)):
        wanted = (1, 2, 2, 3, 3, 2, 1, 1, 1)[step]
        while len(shop.alive) < wanted:
            shop.start()
        while len(shop.alive) > wanted:
            _end(shop, rng.choice(shop.alive))
        for _ in range(2):
            await asyncio.sleep(rng.uniform(0.1, 1.5))
            if not shop.alive:
                shop.start()
            if rng.random() < 0.3:
                _disturb_one(shop, rng.choice(shop.alive))


def _disturb_one(shop: Shop, worker: Worker) -> None:
    drawn = shop.rng.random()
    if drawn < 0.5:
        shop.world.happened["kill"] += 1
        shop.world.loop.kill(worker.process)
    elif drawn < 0.8 and not worker.process.is_frozen:
        shop.world.happened["freeze"] += 1
        shop.world.freeze(worker.process)
    else:
        shop.world.happened["stop"] += 1
        worker.stop()


def _end(shop: Shop, worker: Worker) -> None:
    if shop.rng.random() < 0.5:
        shop.world.loop.kill(worker.process)
    else:
        worker.stop()


async def live(shop: Shop) -> None:
    """Carts are left, and ordered just in time; orders may lie hidden in a transaction until it is too late."""
    disturbing = shop.world.loop.spawn(None, _disturb(shop))
    for number in range(30):
        _act(shop, number, shop.rng)
        await asyncio.sleep(shop.rng.uniform(0.1, 1.4))
    await disturbing
    shop.world.is_calm = True
    # As above.
    for number in range(_CUSTOMERS):
        _say(shop, "consent", f"{number}", _consented(f"calm-{number}", f"{number}", shop.world.wall()))
    await _all_taken(shop)
    if not shop.alive:
        shop.start()
    await asyncio.sleep(LONGEST_SILENCE / 1000 + 6)
    await _all_taken(shop)
    await _all_stopped(shop)


def _act(shop: Shop, number: int, rng: Random) -> None:
    world, customer = shop.world, f"{rng.randrange(_CUSTOMERS)}"
    at = world.wall() - rng.choice((0, 0, 100, 1_500))
    drawn, txn = rng.random(), None
    if drawn < 0.5:
        told: list[tuple[str, dict[str, Any]]] = [
            ("consent", _consented(f"c{number}", customer, at)),
            ("web", added(f"a{number}", customer, at)),
        ]
    else:
        told = [("orders", placed(f"o{number}", customer, at))]
        if drawn > 0.75:
            txn = Txn("the shop")
            hangs = rng.choice((0.1, 3.0, 8.0, 16.0))
            world.loop.outside(hangs, world.broker.mark, txn, rng.choice(("committed", "aborted")))
    for touchpoint, said in told:
        _say(shop, touchpoint, customer, said, txn)


def _consented(event_id: str, customer: str, at: Millis) -> dict[str, Any]:
    return event(event_id, customer, "granted", at, purpose="marketing", evidence="form")


def _say(shop: Shop, touchpoint: str, customer: str, said: dict[str, Any], txn: Txn | None = None) -> None:
    shop.send(Sent(touchpoint, key_of(customer), orjson.dumps(said)), txn)
