"""Events of earlier schema versions are lifted to the present one before they are validated."""

from collections.abc import Callable, Mapping
from typing import Any

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]
"""What turns one version's payload into the next one's. It may raise for a payload not of its version."""

FIRST_VERSION = 1
"""The version of a payload that states none."""


class UnknownVersion(ValueError):
    """The payload's version is newer than the contract, or no upcaster leads from it."""


def upcast(payload: Payload, to: int, upcasters: Mapping[int, Upcaster]) -> Payload:
    """The payload as version `to` would have written it.

    Raises UnknownVersion, and ValueError for a payload that its own version's upcaster cannot read.
    """
    version = payload.get("schema_version", FIRST_VERSION)
    while version != to:
        if type(version) is not int or version not in upcasters:
            raise UnknownVersion(f"no way leads from this schema version to version {to}")
        try:
            payload = upcasters[version](payload)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"not a payload of schema version {version}") from error
        version += 1
    return {**payload, "schema_version": to}
