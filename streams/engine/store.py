"""The rows of one task: committed packed bytes by key, a few of them unpacked, and the heap of due timers."""

import heapq
from collections.abc import Mapping
from itertools import islice

from schemas.customer import Customer, prefix, unpack
from schemas.event import Millis

RELEASED = 1_000
"""Rows dropped at a time, of a closed task or beyond what may stay unpacked: all at once would hold up the others."""


class Store:
    """`key → last committed packed bytes`. The bytes are the roll-back: what is not shown never happened.

    Rows handed out by `row` may be changed freely until `show` or `forget`. Between batches `cool` leaves at most
    `hot_rows` unpacked; that may be changed at any time.
    """

    def __init__(self, hot_rows: int) -> None:
        self.packed: dict[bytes, bytes] = {}
        self.hot_rows = hot_rows
        self._hot: dict[bytes, Customer] = {}
        self._lent: set[bytes] = set()
        """Keys of the rows that were handed out since the last `show`: they may have been changed."""
        self._heap: list[tuple[Millis, bytes]] = []
        self._scheduled: dict[bytes, Millis] = {}

    def row(self, key: bytes) -> Customer | None:
        """The customer's row as it is now, this batch's changes included; None on first sight."""
        row = self._hot.get(key)
        if row is None:
            packed = self.packed.get(key)
            if packed is None:
                return None
            row = self._hot[key] = unpack(packed)
        self._lent.add(key)
        return row

    def new_row(self, key: bytes) -> Customer:
        """Begin a row for a customer never seen before."""
        row = self._hot[key] = Customer(key.decode())
        self._lent.add(key)
        return row

    def drop(self, key: bytes) -> None:
        """Undo `new_row`: nothing came of it."""
        del self._hot[key]
        self._lent.discard(key)

    def schedule(self, key: bytes, due: Millis) -> None:
        """Note the row's next timer. One heap entry a customer; entries that became too early are lazy.

        So are those of rows that have no timer any more, or are forgotten: `next_due` mends them.
        """
        known = self._scheduled.get(key)
        if known is None or due < known:
            self._scheduled[key] = due
            heapq.heappush(self._heap, (due, key))

    def next_due(self, until: Millis) -> tuple[Millis, bytes] | None:
        """The earliest (due, key) at or before `until`, or None. Entries that are not true any more are mended."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            due, key = heap[0]
            if self._scheduled.get(key) != due:
                heapq.heappop(heap)
                continue
            actual = self._due_of(key)
            if actual == due:
                return due, key
            heapq.heappop(heap)
            del self._scheduled[key]
            if actual is not None:
                self._scheduled[key] = actual
                heapq.heappush(heap, (actual, key))
        return None

    def show(self, rows: Mapping[bytes, bytes]) -> None:
        """Make committed bytes the truth. `cool` is to follow."""
        self.packed.update(rows)
        self._lent.clear()

    def cool(self, count: int) -> bool:
        """Let go of up to `count` unpacked rows beyond the bound; False when there are no more of them.

        Only between batches. Thousands of rows at once hold up the loop.
        """
        beyond = len(self._hot) - self.hot_rows
        for key in list(islice(self._hot, max(0, min(count, beyond)))):
            del self._hot[key]
        return beyond > count

    def forget(self) -> None:
        """Throw away everything uncommitted; the next look unpacks the committed bytes again."""
        for key in self._lent:
            self._hot.pop(key, None)
            if (packed := self.packed.get(key)) and (due := prefix(packed).due):
                self.schedule(key, due)
        self._lent.clear()

    def put_restored(self, key: bytes, packed: bytes | None) -> None:
        """Take one changelog record: the newest wins, None deletes. `forget` follows at the end.

        What is unpacked of the row is older, and goes.
        """
        if packed is None:
            self.packed.pop(key, None)
        else:
            self.packed[key] = packed
            if due := int.from_bytes(packed[1:9]):
                self.schedule(key, due)
        if self._hot:
            self._hot.pop(key, None)

    def release(self, count: int) -> bool:
        """Drop up to `count` rows with all that is known of them; False when none are left.

        A big store that is dropped at once holds up the loop.
        """
        for rows in (self._hot, self._scheduled, self.packed):
            for _ in range(min(count, len(rows))):
                rows.popitem()
        del self._heap[-count:]
        return bool(self.packed or self._hot or self._scheduled or self._heap)

    @property
    def unpacked(self) -> int:
        """Rows that are unpacked just now."""
        return len(self._hot)

    @property
    def open_timers(self) -> int:
        """Customers with at least one timer."""
        return len(self._scheduled)

    def _due_of(self, key: bytes) -> Millis | None:
        row = self._hot.get(key)
        if row is not None:
            return min(row.timers.values(), default=None)
        packed = self.packed.get(key)
        return (prefix(packed).due or None) if packed is not None else None
