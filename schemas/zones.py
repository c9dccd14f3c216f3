"""The time zones that exist, for every worker the same."""

from functools import cache
from importlib.resources import files


def is_zone(name: str) -> bool:
    """Whether it is a zone of the IANA database, in the release that the package `tzdata` carries.

    Not the machine's own database: workers with different ones would keep different rows.
    """
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text().split())
