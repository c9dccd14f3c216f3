"""What makes an adapter: it knows its files and turns them into events in time order."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from schemas.touchpoints.consent import Purpose
from streams.local.replayed import Replayed


class NotReadable(ValueError):
    """A file is not what it should be; the message names file, place and reason."""


class Options(NamedTuple):
    """What the user may choose. `touchpoint` is that of JSON lines that do not name theirs.

    Where it is None, `owners` tells it by the event's type.
    """

    consent: tuple[Purpose, ...] = ("profiling", "marketing")
    touchpoint: str | None = None
    owners: Mapping[str, str] = MappingProxyType({})


class Adapter(NamedTuple):
    """A kind of data set. `find` gives the main file of a path (a file or a folder) if it is of this kind.

    `read` yields the file's events in time order, ids unique and the same at each reading, and counts what it
    leaves out, by reason. It raises NotReadable.
    """

    name: str
    find: Callable[[Path], Path | None]
    read: Callable[[Path, Options, Counter[str]], Iterator[Replayed]]


def one_of(*names: str) -> Callable[[Path], Path | None]:
    """A `find` for a main file with one of these names, given itself or by its folder."""

    def find(path: Path) -> Path | None:
        for name in names:
            candidate = path / name if path.is_dir() else path
            if candidate.name == name and candidate.is_file():
                return candidate
        return None

    return find
