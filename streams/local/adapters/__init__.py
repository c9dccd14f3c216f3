"""One file a data set: each turns the set's own form into our events."""

from pathlib import Path

from streams.local.adapters import gms, jsonl, taobao, uci
from streams.local.adapters.adapter import Adapter, NotReadable

ADAPTERS: tuple[Adapter, ...] = (uci.ADAPTER, gms.ADAPTER, taobao.ADAPTER, jsonl.ADAPTER)


def adapter_of(path: Path) -> tuple[Adapter, Path]:
    """The adapter that knows `path` (a file or a folder), and the file to read. Raises NotReadable."""
    if not path.exists():
        raise NotReadable(f"{path}: no such file or folder")
    for adapter in ADAPTERS:
        found = adapter.find(path)
        if found is not None:
            return adapter, found
    known = ", ".join(adapter.name for adapter in ADAPTERS)
    raise NotReadable(f"{path}: none of the adapters ({known}) knows it")
