"""Where a customer was when an event was sent is none of our business: addresses and coordinates go.

Events never hold them (`without_locations`). Dead letters keep the record's original bytes, so there they are
coarsened in place, by pattern and not by parsing, because the bytes may not be JSON at all (`coarsened`).
"""

import re
from ipaddress import IPv6Address
from itertools import count
from typing import Any, Literal

_ADDRESSES = frozenset({"ip", "ips", "ipv", "ipaddress", "ipaddr", "geoip", "remoteaddr", "forwardedfor"})
_COORDINATES = frozenset(
    {"latitude", "longitude", "lat", "lon", "lng", "long", "coordinates", "coords", "latlng", "latlon", "geo"}
)
_MAX_DEPTH = 50
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def location_kind(name: str) -> Literal["address", "coordinate"] | None:
    """What a field of this name holds, judged by its last word or last two.

    >>> [location_kind(name) for name in ("clientIp", "x-forwarded-for", "geo_lat", "ship")]
    ['address', 'address', 'coordinate', None]
    """
    words = [word.lower() for word in _WORD.findall(name)]
    endings = {"".join(words[-1:]), "".join(words[-2:])}
    if endings & _ADDRESSES:
        return "address"
    return "coordinate" if endings & _COORDINATES else None


def without_locations(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """The JSON value without the members that are named like an address or a coordinate, at any depth.

    Raises ValueError for a value nested deeper than `depth`.
    """
    if not depth:
        raise ValueError(f"nested deeper than {_MAX_DEPTH}")
    if isinstance(value, dict):
        return {
            name: without_locations(member, depth - 1)
            for name, member in value.items()
            if location_kind(name) is None
        }
    if isinstance(value, list):
        return [without_locations(member, depth - 1) for member in value]
    return value


def coarsened(original: bytes) -> bytes:
    """The bytes with IPv4 addresses cut to /24, IPv6 addresses to /48 and coordinates to one decimal.

    Other text under the name of an address is emptied, and so is text with a digit under the name of a
    coordinate. The rest stays byte for byte; the length may change. Doing it twice changes nothing more.
    """
    found = _IPV4.sub(rb"\g<1>0", original)
    parsed = count()
    found = _IPV6.sub(lambda match: _coarse_ipv6(match) if next(parsed) < _MAX_PARSED else b"::", found)
    found = _PAIR.sub(_coarse_numbers, found)
    found = _QUERY.sub(_coarse_numbers, found)
    return _coarse_members(found)


_MAX_PARSED = 100
"""So many IPv6 addresses of a record are cut to /48 with care, further ones wholly: parsing them takes long."""
_MAX_LISTED = 50
"""So many addresses in one member are looked at; the text of a longer list is emptied."""
_NUMBER = re.compile(rb"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_IPV4 = re.compile(rb"(?<!\d)(\d{1,3}\.\d{1,3}\.\d{1,3}\.)\d{1,3}(?!\d)")
_IPV6 = re.compile(
    rb"(?<![0-9A-Za-z:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?<=[:0-9])(?:\.\d{1,3}){3})?"
)
_PAIR = re.compile(rb'(?<=")\s*-?\d{1,3}\.\d+\s*[,;]\s*-?\d{1,3}\.\d+\s*(?="|$)')
_QUERY = re.compile(rb"(?<=[?&;])(?:lat|lon|lng|latitude|longitude)=-?[\d.]+", re.IGNORECASE)
_MEMBER = re.compile(rb'"([\w.-]{1,64})\\*"\s*:\s*')
_VALUE = re.compile(
    rb'(?P<open>")(?P<text>(?:[^"\\]|\\.)*)|(?P<escaped>\\+")(?P<inner>[^"\\]*)|[\[\]\s,\d.eE+-]+', re.DOTALL
)


def _coarse_members(found: bytes) -> bytes:
    """The values of members named like a location made coarse, whether or not they are complete."""
    parts: list[bytes] = []
    done = 0
    for member in _MEMBER.finditer(found):
        kind = location_kind(member[1].decode())
        value = _VALUE.match(found, member.end()) if kind and member.start() >= done else None
        if value is not None:
            parts += (found[done : member.end()], _coarse_value(value, kind == "address"))
            done = value.end()
    return b"".join(parts) + found[done:]


def _coarse_value(value: re.Match[bytes], address: bool) -> bytes:
    opening = value["open"] or value["escaped"] or b""
    text = value[0][len(opening) :]
    if address:
        parts = text.split(b",")
        is_coarse = len(parts) <= _MAX_LISTED and all(_is_coarse_address(part.strip()) for part in parts)
        coarse = text if is_coarse else b""
        return opening + (coarse if opening else value[0])
    if re.fullmatch(rb"[\[\]\s,;\d.eE+-]*", text):
        return opening + _NUMBER.sub(_one_decimal, text)
    return opening + (text if re.search(rb"\d", text) is None else b"")


def _is_coarse_address(part: bytes) -> bool:
    if re.fullmatch(rb"\d{1,3}\.\d{1,3}\.\d{1,3}\.0", part):
        return True
    try:
        return int(IPv6Address(part.decode())) & _BELOW_48 == 0
    except ValueError:
        return False


def _coarse_ipv6(match: re.Match[bytes]) -> bytes:
    try:
        address = int(IPv6Address(match[0].decode()))
    except ValueError:
        return match[0]
    return str(IPv6Address(address & ~_BELOW_48)).encode()


def _coarse_numbers(match: re.Match[bytes]) -> bytes:
    return _NUMBER.sub(_one_decimal, match[0])


def _one_decimal(match: re.Match[bytes]) -> bytes:
    value = float(match[0])
    return f"{value:.1f}".encode() if abs(value) < 1_000 else b"0"


_BELOW_48 = (1 << 80) - 1
