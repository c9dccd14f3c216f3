"""When a record that is written a second time was first received: only that corrects its producer's clock."""

from collections.abc import Iterable

from schemas.event import Millis

_HEADER = "pulpero-received-at"


def receipt(received_at: Millis) -> tuple[str, bytes]:
    """The header to write with a record that was received before, at `received_at`."""
    return _HEADER, str(received_at).encode()


def received_at(headers: Iterable[tuple[str, bytes | None]], appended_at: Millis) -> Millis:
    """When the record was first received: by its header, if it is a number not after `appended_at`."""
    for name, value in headers:
        if name == _HEADER and value is not None and value.isdigit() and len(value) < 16:
            return min(int(value), appended_at)
    return appended_at
