"""The input of the fault tests: a simulated shop's events out of order, repeated, spoilt, and clock records.

One touchpoint falls silent for the middle of the stream: it says neither events nor the time.
"""

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
AFTERWARDS = 93 * DAY
"""How far the last clock records go beyond the last event: further than any timer but the last looks' horizons."""

MAX_DELAY = 6 * HOUR
"""An event shows in its topic at most so much after it happened, so a clock record can promise the rest."""

TOUCHPOINTS = ("consent", "messages", "orders", "web")
FALLS_SILENT = "messages"


class Sent(NamedTuple):
    """A record to be produced; without a partition to that of its key, a clock record to all of them."""

    touchpoint: str
    key: str | None
    value: bytes | None
    misplaced: bool = False
    headers: list[tuple[str, str | bytes | None]] | None = None


class Portion(NamedTuple):
    """A part of the stream, and the clock records that end it; `at` is when its last event shows."""

    sent: list[Sent]
    clock: list[Sent]
    at: Millis
    silent: frozenset[str]


def portions(seed: int, customers: int, days: int, size: int) -> list[Portion]:
    """The whole stream; each portion ends with a clock record for every touchpoint that is not silent."""
    rng = Random(f"stream:{seed}")
    shop = Shop(seed, START, customers)
    timed: list[tuple[Millis, int, Sent]] = []
    for event in _enriched(shop.until(START + days * DAY), rng):
        for shown_at, sent in _sent(event, rng):
            timed.append((shown_at, len(timed), sent))
    timed.sort(key=lambda each: each[:2])
    cut = [timed[begin : begin + size] for begin in range(0, len(timed), size)]
    made = []
    for number, part in enumerate(cut):
        is_middle = len(cut) // 3 <= number < 2 * len(cut) // 3
        silent = frozenset({FALLS_SILENT} if is_middle else ())
        told = [each for *_, each in part if each.touchpoint not in silent]
        made.append(Portion(told, clock(part[-1][0] - MAX_DELAY, silent), part[-1][0], silent))
    return made


def _enriched(events: Iterator[Replayed], rng: Random) -> Iterator[Replayed]:
    """What the simulated shop does not do: take out of a cart, tell a cart anew, answer messages, mind profiling."""
    for event in events:
        yield event
        if rng.random() < 0.002:
            kind = rng.choice(("withdrawn", "granted"))
            yield _like(event, "consent", 3_000, "p", type=kind, purpose="profiling", evidence="by telephone")
        if rng.random() < 0.001:
            seen = {**event.payload["context"], "consent": {"profiling": False}}
            yield _like(event, "web", 4_000, "c", type="page_viewed", path="/privacy", context=seen)
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


def clock(at: Millis, silent: frozenset[str] = frozenset()) -> list[Sent]:
    """Clock records for all touchpoints but the silent ones."""
    value, headers = encode_clock(at)
    return [
        Sent(touchpoint, None, value, headers=list(headers))
        for touchpoint in TOUCHPOINTS
        if touchpoint not in silent
    ]


def feedback(action: dict[str, Any], at: Millis, rng: Random) -> Sent:
    """What a messaging service says at `at` of an action."""
    told = rng.choice(("sent", "sent", "delivered", "bounced", "opened", "clicked", "unsubscribed"))
    payload = {
        "event_id": f"f-{action['action_id']}",
        "type": told,
        "event_time": iso(at),
        "customer_id": action["customer_key"].removeprefix("c:"),
        "source": "messaging",
        "action_id": action["action_id"],
        "channel": action["channel"],
    }
    return Sent("messages", action["customer_key"], orjson.dumps(payload))
