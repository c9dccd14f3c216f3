"""The input of the fault tests: a simulated shop's events out of order, repeated, spoilt, and clock records."""

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import orjson

from schemas.clock import encode_clock
from schemas.event import Millis
from streams.local.replayed import Replayed, iso
from streams.local.simulator.shop import Shop

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START: Millis = 1_700_000_000_000
AFTERWARDS = 60 * DAY
"""How far the last clock records go beyond the last event: further than any timer but a horizon's."""

MAX_DELAY = 6 * HOUR
"""An event shows in its topic at most so much after it happened, so a clock record can promise the rest."""

TOUCHPOINTS = ("consent", "messages", "orders", "web")


class Sent(NamedTuple):
    """A record to be produced; without a partition to that of its key, a clock record to all of them."""

    touchpoint: str
    key: str | None
    value: bytes | None
    misplaced: bool = False
    headers: list[tuple[str, str | bytes | None]] | None = None


def portions(seed: int, customers: int, days: int, size: int) -> list[list[Sent]]:
    """The whole stream in portions; each ends with a clock record for every touchpoint, the last with two.

    So the workers never have to guess whether a quiet touchpoint has nothing to say, and there is one order.
    """
    rng = Random(f"stream:{seed}")
    shop = Shop(seed, START, customers)
    timed: list[tuple[Millis, int, Sent]] = []
    for event in _enriched(shop.until(START + days * DAY), rng):
        for shown_at, sent in _sent(event, rng):
            timed.append((shown_at, len(timed), sent))
    timed.sort(key=lambda each: each[:2])
    cut = [timed[begin : begin + size] for begin in range(0, len(timed), size)]
    made = [[*(sent for *_, sent in each), *_clock(each[-1][0] - MAX_DELAY)] for each in cut]
    end = timed[-1][0] + AFTERWARDS
    made[-1] += [*_clock(end), *_clock(end + 1)]
    return made


def _enriched(events: Iterator[Replayed], rng: Random) -> Iterator[Replayed]:
    """What the simulated shop does not do: take out of a cart, tell a cart anew, and answer messages."""
    for event in events:
        yield event
        if event.payload["type"] == "product_added" and rng.random() < 0.08:
            kind = rng.choice(("product_removed", "cart_updated"))
            product = event.payload["product"]
            content: dict[str, Any] = (
                {"product": {**product, "quantity": 1}}
                if kind == "product_removed"
                else {"products": [{**product, "quantity": 2}, {"product_id": "P900", "price": 3.25}]}
            )
            yield _like(event, "web", 2_000, "x", type=kind, cart_id=event.payload["cart_id"], **content)
        if rng.random() < 0.01:
            kind = rng.choice(("sent", "opened", "clicked", "unsubscribed"))
            channel = rng.choice(("email", "app", "sms"))
            yield _like(event, "messages", HOUR, "m", type=kind, channel=channel, action_id="unknown")


def _like(event: Replayed, touchpoint: str, after: Millis, mark: str, **fields: object) -> Replayed:
    at, known = event.at + after, event.payload
    envelope = {name: known[name] for name in ("customer_id", "source", "context")}
    payload = {**envelope, "event_id": f"{known['event_id']}-{mark}", "event_time": iso(at), **fields}
    return Replayed(touchpoint, event.key, at, payload)


def _sent(event: Replayed, rng: Random) -> Iterator[tuple[Millis, Sent]]:
    """The event with when it shows in its topic, in ms: delayed, now and then too late, twice or spoilt."""
    value = orjson.dumps(event.payload)
    delay, drawn = 0, rng.random()
    if drawn < 0.25:
        delay = rng.randrange(45 * MINUTE)
    elif drawn < 0.27:
        delay = rng.randrange(MAX_DELAY)
    yield event.at + delay, Sent(event.touchpoint, event.key, value)
    if rng.random() < 0.03:
        again = delay + rng.choice((0, MINUTE, 20 * MINUTE, 5 * HOUR))
        yield event.at + min(again, MAX_DELAY), Sent(event.touchpoint, event.key, value)
    if rng.random() < 0.02:
        yield event.at + delay, _spoilt(event, value, rng)


def _spoilt(event: Replayed, value: bytes, rng: Random) -> Sent:
    touchpoint, key, payload = event.touchpoint, event.key, dict(event.payload)
    match rng.randrange(6):
        case 0:
            return Sent(touchpoint, key, None)
        case 1:
            return Sent(touchpoint, key, value[: rng.randrange(2, len(value))])
        case 2:
            return Sent(touchpoint, f"{key}-other", value)
        case 3:
            return Sent(touchpoint, key, value, misplaced=True)
        case 4:
            del payload["event_id"]
        case _:
            payload["type"] = "never_heard_of"
    return Sent(touchpoint, key, orjson.dumps(payload))


def _clock(at: Millis) -> list[Sent]:
    value, headers = encode_clock(at)
    return [Sent(touchpoint, None, value, headers=list(headers)) for touchpoint in TOUCHPOINTS]
