"""What crosses a border is a `Contract`: declared once, read fast by msgspec, leniently by pydantic.

msgspec takes the plain form and nothing else. Whatever it does not take goes to the pydantic model of the same
contract (schemas/lenient.py), which reads what is meant (a number as text) or says what is wrong where.
"""

from typing import Any, Self, dataclass_transform

import msgspec


class _ContractMeta(msgspec.StructMeta):
    """Fields are given by name in every contract: msgspec does not inherit that."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        return super().__new__(cls, name, bases, namespace, kw_only=True, **config)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Contract(msgspec.Struct, metaclass=_ContractMeta, frozen=True, gc=False):
    """A value of the contract: frozen, named fields only; fields that it does not know are ignored."""

    def to_json(self) -> bytes:
        """The value as UTF-8 JSON."""
        return _encode(self)

    @classmethod
    def from_json(cls, value: bytes | str) -> Self:
        """What `to_json` wrote. Raises msgspec.ValidationError, or its parent DecodeError for what is no JSON."""
        return msgspec.json.decode(value, type=cls)

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return msgspec.structs.replace(self, **changes)


_encode = msgspec.json.Encoder().encode
