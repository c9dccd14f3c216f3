"""The lenient reading of a contract: its pydantic model, made from the very same declaration.

It reads what is meant where that is beyond doubt (a number written as text, a field that nobody knows), says of
everything else what is wrong where, and describes itself as JSON Schema.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    WithJsonSchema,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.event import END, EPOCH, UnknownFields


def lenient(contract: Any) -> TypeAdapter[Any]:
    """What reads a contract class, or a union of such, leniently. Its values are models, not the contract's."""
    return TypeAdapter(_read_as(contract))


def plain(model: BaseModel) -> tuple[bytes, int]:
    """The plain form of what was read leniently, as JSON, and how many unknown fields it leaves out."""
    known = set(type(model).model_fields)
    said = model.model_dump_json(include=known, exclude_defaults=True)
    return said.encode(), len(model.model_extra or ())


class _Written:
    """In JSON a moment is text: a number could be seconds or milliseconds, nobody should have to guess.

    What the plain reader takes is read by it here too: the two round what is finer than a microsecond differently.
    """

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(pattern=r"^\d{4}-\d\d-\d\d[Tt _]\d\d")
        plainly = core_schema.no_info_after_validator_function(_plainly, text)
        moment = core_schema.chain_schema([plainly, handler(source)])
        return core_schema.json_or_python_schema(json_schema=moment, python_schema=handler(source))


def _plainly(text: str) -> datetime | str:
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return text


class _Dropped:
    """Any value becomes None: what is not in the contract is not kept, only its name is."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(core_schema.none_schema(), default=None, on_error="default")

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {}


_MOMENT = Annotated[
    AwareDatetime,
    Field(ge=EPOCH, le=END),
    _Written(),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class _Ignoring(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, ser_json_bytes="base64")


class _Counting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, Annotated[None, _Dropped()]]


@cache
def _model(contract: type[msgspec.Struct]) -> type[BaseModel]:
    base = _Counting if contract.__struct_config__.forbid_unknown_fields else _Ignoring
    return create_model(contract.__name__, __base__=base, __doc__=contract.__doc__, **dict(_fields(contract)))


def _fields(contract: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    config = contract.__struct_config__
    if config.tag is not None:
        yield str(config.tag_field), (Literal[config.tag], ...)
    for field in msgspec.structs.fields(contract):
        if field.type is UnknownFields:
            continue
        if field.default_factory is not msgspec.NODEFAULT:
            yield field.name, (_read_as(field.type), Field(default_factory=field.default_factory))
        else:
            yield field.name, (_read_as(field.type), ... if field.required else field.default)


def _read_as(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation == _AWARE:
        return _MOMENT
    if origin is Annotated:
        return Annotated[(_read_as(arguments[0]), *_constraints(arguments[1:]))]
    if origin in (Union, UnionType):
        return _union(tuple(_read_as(each) for each in arguments))
    if origin in (list, tuple, dict):
        return origin[tuple(_read_as(each) for each in arguments)]
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _model(annotation)
    return annotation


_AWARE = Annotated[datetime, msgspec.Meta(tz=True)]


def _union(members: tuple[Any, ...]) -> Any:
    tagged = all(isinstance(each, type) and issubclass(each, _Counting) for each in members)
    union: Any = Union.__getitem__(members)
    return Annotated[union, Field(discriminator="type")] if tagged and len(members) > 1 else union


_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")


def _constraints(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for each in metadata:
        if isinstance(each, msgspec.Meta):
            given = {name: value for name in _CONSTRAINTS if (value := getattr(each, name)) is not None}
            yield Field(**given)
        else:
            yield each  # pydantic's own
