"""Taobao UserBehavior: views, favourites, carts and purchases of a marketplace, dense and without prices.

The set knows only that something was bought, so an order has one item, one piece and the total 0.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streams.local.adapters.adapter import Adapter, Options
from streams.local.replayed import Consents, Replayed, iso

SOURCE = "taobao"
_CONTEXT = {"time_zone": "Asia/Shanghai"}


def read(path: Path, options: Options, skipped: Counter[str]) -> Iterator[Replayed]:
    """The events of a gzipped CSV, ids by their row's number. See `Adapter`."""
    consents = Consents("taobao", SOURCE, options.consent)
    for at, number, row in _rows(path, skipped):
        user_id = row["user_id"]
        yield from consents.of(user_id, at)
        touchpoint, fields = _fields(row, number)
        payload = {
            "event_id": f"taobao-{number}",
            "event_time": iso(at),
            "customer_id": user_id,
            "source": SOURCE,
            "context": _CONTEXT,
        }
        yield Replayed(touchpoint, f"c:{user_id}", at, payload | fields)


def _fields(row: dict[str, str], number: int) -> tuple[str, dict[str, Any]]:
    product = {"product_id": row["item_id"], "category": row["category_id"]}
    behaviour = row["behavior"]
    if behaviour == "pv":
        return "web", {"type": "product_viewed", "product": product}
    if behaviour == "cart":
        return "web", {"type": "product_added", "product": product}
    if behaviour == "fav":
        return "web", {"type": "custom", "name": "favourite", "properties": product}
    order = {"type": "order_placed", "order_id": f"taobao-{number}", "items": [product], "total": 0.0}
    return "orders", order


def _rows(path: Path, skipped: Counter[str]) -> list[tuple[int, int, dict[str, str]]]:
    rows = []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            if not (row["timestamp"] or "").isdigit() or len(row["timestamp"]) != 10:
                skipped["rows with a broken timestamp"] += 1
            elif row["behavior"] not in ("pv", "cart", "fav", "buy"):
                skipped["rows of an unknown behaviour"] += 1
            else:
                rows.append((int(row["timestamp"]) * 1000, number, row))
    rows.sort(key=lambda each: each[:2])
    return rows


def _find(path: Path) -> Path | None:
    files = sorted(path.glob("user_behavior*.csv.gz")) if path.is_dir() else [path]
    for file in files:
        if file.name.startswith("user_behavior") and file.name.endswith(".csv.gz") and file.is_file():
            return file
    return None


ADAPTER = Adapter("taobao", _find, read)
