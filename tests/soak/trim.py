"""A shop's module whose worker has the allocator give back what is free, again and again.

glibc keeps what a take-over needed, and a leak fills that first: half a MB a second was not to be seen for minutes.
So what is resident is what is in use. Where there is no such call nothing is done.
"""

import ctypes
import threading
import time

EVERY_SECONDS = 3.0


def register(app: object) -> None:
    """Begin to."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        threading.Thread(target=_trim, args=(trim,), name="trim", daemon=True).start()


def _trim(trim: "ctypes._NamedFuncPointer") -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        trim(0)
