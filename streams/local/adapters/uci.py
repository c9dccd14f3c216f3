"""UCI Online Retail (Chen et al. 2012): a wholesaler's invoices of a year, with real customers, as orders.

An invoice is an order placed. A cancellation names no invoice: its lines are taken as returns from the
customer's latest order that still has those pieces, and as a refund of that order; what matches none is a
refund under the cancellation's own number. Times are the shop's, Europe/London.
"""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from schemas.event import Millis, to_millis
from streams.local.adapters.adapter import Adapter, NotReadable, Options, one_of
from streams.local.replayed import Consents, Replayed, iso

SOURCE = "uci-online-retail"
_SHOP_TIME = ZoneInfo("Europe/London")
_MAX_ITEMS = 500  # schemas.touchpoints.orders.OrderPlaced
_HOME = {  # country → language and time zone of its customers; only where there is one of each
    "United Kingdom": ("en-GB", "Europe/London"),
    "EIRE": ("en-IE", "Europe/Dublin"),
    "Spain": ("es-ES", "Europe/Madrid"),
    "Germany": ("de-DE", "Europe/Berlin"),
    "France": ("fr-FR", "Europe/Paris"),
    "Netherlands": ("nl-NL", "Europe/Amsterdam"),
    "Portugal": ("pt-PT", "Europe/Lisbon"),
    "Italy": ("it-IT", "Europe/Rome"),
    "Japan": ("ja-JP", "Asia/Tokyo"),
}


class _Line(NamedTuple):
    invoice: str
    stock_code: str
    name: str
    quantity: int
    at: Millis
    price: float
    customer_id: str
    country: str


class _Left:
    """What of a customer's orders could still come back: item → [order, item id, pieces], newest last."""

    def __init__(self) -> None:
        self._lines: defaultdict[tuple[str, str], list[tuple[str, str, int]]] = defaultdict(list)

    def add(self, line: _Line, item_id: str) -> None:
        self._lines[line.customer_id, line.stock_code].append((line.invoice, item_id, line.quantity))

    def take(self, line: _Line) -> tuple[str, str] | None:
        """Order and item id that the returned pieces are of, None if no one order still has so many."""
        kept = self._lines[line.customer_id, line.stock_code]
        for index in range(len(kept) - 1, -1, -1):
            order_id, item_id, pieces = kept[index]
            if pieces >= -line.quantity:
                kept[index] = (order_id, item_id, pieces + line.quantity)
                return order_id, item_id
        return None


def read(path: Path, options: Options, skipped: Counter[str]) -> Iterator[Replayed]:
    """The invoices of the parquet or the gzipped CSV as events. See `Adapter`."""
    consents, left = Consents("uci", SOURCE, options.consent), _Left()
    for _, grouped in groupby(_lines(path, skipped), key=lambda line: line.invoice):
        lines = list(grouped)
        yield from consents.of(lines[0].customer_id, lines[0].at)
        if lines[0].invoice.startswith("C"):
            yield from _cancellation(lines, left)
        else:
            yield _order(lines, left, skipped)


def _order(lines: list[_Line], left: _Left, skipped: Counter[str]) -> Replayed:
    repeats: Counter[str] = Counter()
    items = []
    for line in lines[:_MAX_ITEMS]:
        repeats[line.stock_code] += 1
        times = repeats[line.stock_code]
        item_id = line.stock_code if times == 1 else f"{line.stock_code}-{times}"
        left.add(line, item_id)
        item = {"item_id": item_id, "product_id": line.stock_code, "quantity": line.quantity}
        items.append(item | {"price": line.price} | ({"name": line.name} if line.name else {}))
    if len(lines) > _MAX_ITEMS:
        skipped[f"lines beyond the {_MAX_ITEMS} of an order"] += len(lines) - _MAX_ITEMS
    total = round(sum(line.price * line.quantity for line in lines), 2)
    return _event(
        lines[0], "placed", {"type": "order_placed", "items": items, "total": total, "currency": "GBP"}
    )


def _cancellation(lines: list[_Line], left: _Left) -> Iterator[Replayed]:
    refunds: defaultdict[str, float] = defaultdict(float)
    for number, line in enumerate(lines, start=1):
        found = left.take(line)
        refunds[found[0] if found else line.invoice] -= line.price * line.quantity
        if found:
            fields = {"order_id": found[0], "item_id": found[1], "quantity": -line.quantity}
            yield _event(line, f"returned-{number}", {"type": "item_returned"} | fields)
    for order_id, amount in refunds.items():
        refund = {"type": "order_refunded", "order_id": order_id, "amount": round(amount, 2)}
        yield _event(lines[0], f"refunded-{order_id}", refund)


def _event(line: _Line, what: str, fields: dict[str, Any]) -> Replayed:
    payload: dict[str, Any] = {
        "event_id": f"uci-{line.invoice}-{what}",
        "event_time": iso(line.at),
        "customer_id": line.customer_id,
        "source": SOURCE,
        "order_id": line.invoice,
    }
    if line.country in _HOME:
        locale, time_zone = _HOME[line.country]
        payload["context"] = {"locale": locale, "time_zone": time_zone}
    return Replayed("orders", f"c:{line.customer_id}", line.at, payload | fields)


def _lines(path: Path, skipped: Counter[str]) -> list[_Line]:
    """The lines in the order of their invoices' times; an invoice's time is that of its first line."""
    lines = []
    started: dict[str, Millis] = {}
    for row in _rows(path):
        if not row["CustomerID"]:
            skipped["lines without a customer"] += 1
            continue
        at = to_millis(row["InvoiceDate"].replace(tzinfo=_SHOP_TIME))
        at = started.setdefault(row["InvoiceNo"], at)
        name = (row["Description"] or "").strip()
        amounts = int(row["Quantity"]), at, float(row["UnitPrice"])
        lines.append(
            _Line(row["InvoiceNo"], row["StockCode"], name, *amounts, str(row["CustomerID"]), row["Country"])
        )
    lines.sort(key=lambda line: (line.at, line.invoice))
    return lines


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row | {"InvoiceDate": datetime.fromisoformat(row["InvoiceDate"])}


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise NotReadable(f"{path}: reading parquet needs pip install 'pulpero[embedded]'") from error
    for batch in parquet.ParquetFile(path).iter_batches():
        yield from batch.to_pylist()


ADAPTER = Adapter("uci", one_of("online_retail.parquet", "online_retail.csv.gz"), read)
