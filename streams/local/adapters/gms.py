"""Google Merchandise Store, GA4's obfuscated sample: real carts, checkouts and purchases of three months.

A row is one item of an event, so rows of one customer, second and type are one event. Times are to the
second: within one, adding comes before checking out and buying, a millisecond apart each. `add_to_cart` lists
the page's (mostly 12) products; the first of them is taken as the one added: of all places it is by far the
likeliest to turn up in the checkout. The lost quantities are 1.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from schemas.event import Millis, to_millis
from streams.local.adapters.adapter import Adapter, NotReadable, Options
from streams.local.replayed import Consents, Replayed, iso

SOURCE = "google-merchandise-store"
_ORDER = {"add_to_cart": 0, "begin_checkout": 1, "purchase": 2}
_EVENTS, _ITEMS = "events.csv.gz", "items.csv.gz"


class _Row(NamedTuple):
    second: Millis
    user_id: str
    type: str
    session_id: str
    device: str
    item_id: str


def read(path: Path, options: Options, skipped: Counter[str]) -> Iterator[Replayed]:
    """The events of `events.csv.gz`, products from `items.csv.gz` beside it. See `Adapter`."""
    consents, products = Consents("gms", SOURCE, options.consent), _products(path.with_name(_ITEMS))
    for (second, user_id, kind), grouped in groupby(_rows(path, skipped), key=lambda row: row[:3]):
        rows = list(grouped)
        at = second + _ORDER[kind]
        yield from consents.of(user_id, at)
        touchpoint, fields = _fields(kind, [products[row.item_id] for row in rows])
        if kind == "purchase":
            fields["order_id"] = f"gms-{user_id}-{second // 1000}"
        payload = {
            "event_id": f"gms-{user_id}-{kind}-{second // 1000}",
            "event_time": iso(at),
            "customer_id": user_id,
            "session_id": f"gms-{rows[0].session_id}",
            "source": SOURCE,
            "context": {"device": rows[0].device},
        }
        yield Replayed(touchpoint, f"c:{user_id}", at, payload | fields)


def _fields(kind: str, products: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    if kind == "add_to_cart":
        return "web", {"type": "product_added", "product": products[0], "currency": "USD"}
    value = round(sum(product["price"] for product in products), 2)
    if kind == "begin_checkout":
        return "web", {
            "type": "checkout_started",
            "products": products,
            "value": value,
            "currency": "USD",
        }
    return "orders", {"type": "order_placed", "items": products, "total": value, "currency": "USD"}


def _products(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        raise NotReadable(f"{path}: the products of {_EVENTS} are missing")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return {
            row["id"]: {
                "product_id": row["id"],
                "name": row["name"],
                "brand": row["brand"],
                "variant": row["variant"],
                "category": row["category"],
                "price": float(row["price_in_usd"]),
            }
            for row in csv.DictReader(file)
        }


def _rows(path: Path, skipped: Counter[str]) -> list[_Row]:
    rows = []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["type"] not in _ORDER:
                skipped[f"rows of type {row['type']!r}"] += 1
                continue
            session_id, device = row["ga_session_id"], row["device"]
            rows.append(
                _Row(_second(row["date"]), row["user_id"], row["type"], session_id, device, row["item_id"])
            )
    rows.sort(key=lambda row: (row.second, _ORDER[row.type], row.user_id))
    return rows


@lru_cache(maxsize=64)
def _second(text: str) -> Millis:
    return to_millis(datetime.fromisoformat(text).replace(tzinfo=UTC))


def _find(path: Path) -> Path | None:
    events = path / _EVENTS if path.is_dir() else path
    return events if events.name == _EVENTS and events.is_file() else None


ADAPTER = Adapter("gms", _find, read)
