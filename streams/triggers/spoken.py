"""Values as people say them, in the two languages: days, products, money."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.action import Bilingual
from schemas.event import Millis, Product

_NAMED_PRODUCTS = 3
_ES_MONTHS = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
)
_EN_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def local_day(at: Millis, zone: str | None, default_zone: str) -> date:
    """The calendar day of a moment where the customer is; an unknown zone counts as none given.

    Whatever comes after the last day but one of the calendar is on that day.
    """
    tz = (zone and _zone(zone)) or _zone(default_zone) or UTC
    return (_EPOCH + timedelta(milliseconds=min(at, _LAST))).astimezone(tz).date()


def day(value: date) -> Bilingual:
    """A day without its year: `14 de agosto`, `14 August`."""
    return Bilingual(
        es=f"{value.day} de {_ES_MONTHS[value.month - 1]}", en=f"{value.day} {_EN_MONTHS[value.month - 1]}"
    )


def days(values: Sequence[date]) -> Bilingual:
    """Different days in order, each once: `14 de agosto y 2 de septiembre`."""
    each = [day(value) for value in sorted(set(values))]
    return Bilingual(es=" y ".join(one.es for one in each), en=" and ".join(one.en for one in each))


def products(listed: Sequence[Product]) -> Bilingual:
    """The first three by name, and how many more there are."""
    names = [product.name or product.product_id for product in listed]
    more = len(names) - _NAMED_PRODUCTS
    if more > 0:
        shown = ", ".join(names[:_NAMED_PRODUCTS])
        return Bilingual(es=f"{shown} y {more} más", en=f"{shown} and {more} more")
    *first, last = names or [""]
    if not first:
        return Bilingual(es=last, en=last)
    return Bilingual(es=f"{', '.join(first)} y {last}", en=f"{', '.join(first)} and {last}")


def money(amount: float, currency: str | None) -> str:
    """An amount with two decimals and its currency, where one is known."""
    return f"{amount:.2f} {currency}" if currency else f"{amount:.2f}"


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Millis = (datetime(9999, 12, 30, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
