"""What a Python type is to protobuf: one shape for each, with the conversions that it needs, or a refusal."""

import typing
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
import msgspec.inspect as mi
from msgspec import NODEFAULT, UNSET

from ovasabi.gateway.contract.protobuf.schema import ContractRefused
from ovasabi.kernel.declare.entity import Entity, type_of


class Form(StrEnum):
    """The ways in which a value is carried."""

    SCALAR = "scalar"
    MOMENT = "moment"
    """A Timestamp."""
    CHOICE = "choice"
    """An enum."""
    OBJECT = "object"
    """Anything that JSON can say of an object: a Struct."""
    RECORD = "record"
    """A struct of ours: a message."""
    LIST = "list"
    MAP = "map"


class TypeMapping(msgspec.Struct, frozen=True, kw_only=True):
    """How a type is carried."""

    form: Form
    word: str = ""
    """The scalar's type in protobuf."""
    cls: Any = None
    """The class of an enum or a struct."""
    inner: "TypeMapping | None" = None
    """Of a list or a map: of what."""
    nullable: bool = False
    doc: str = ""
    write: Callable[[Any], Any] | None = None
    """From the Python value to the scalar, if they differ."""
    read: Callable[[Any], Any] | None = None
    """From the scalar to the Python value, if they differ."""

    @property
    def gathers(self) -> bool:
        """Whether it holds many: protobuf does not tell none from an empty one."""
        return self.form in (Form.LIST, Form.MAP)


class Part(msgspec.Struct, frozen=True):
    """A field of a struct."""

    name: str
    shape: TypeMapping
    default: Any
    """The value if it is left out; NODEFAULT if it must not be."""

    @property
    def unsettable(self) -> bool:
        """Whether it can be left out, and is then neither a value nor null."""
        return self.default is UNSET


_SCALARS: dict[type, TypeMapping] = {
    mi.StrType: TypeMapping(form=Form.SCALAR, word="string"),
    mi.IntType: TypeMapping(form=Form.SCALAR, word="int64"),
    mi.BoolType: TypeMapping(form=Form.SCALAR, word="bool"),
    mi.FloatType: TypeMapping(form=Form.SCALAR, word="double"),
    mi.BytesType: TypeMapping(form=Form.SCALAR, word="bytes"),
    mi.DateType: TypeMapping(form=Form.SCALAR, word="string", write=date.isoformat, read=date.fromisoformat),
    mi.UUIDType: TypeMapping(form=Form.SCALAR, word="string", write=str, read=UUID),
    mi.DecimalType: TypeMapping(form=Form.SCALAR, word="string", write=str, read=Decimal),
    mi.DateTimeType: TypeMapping(form=Form.MOMENT),
}


@cache
def parts_of(kind: Any) -> tuple[Part, ...]:
    """The fields of a struct class that are ever shown or taken; of an entity first what all have, and no secrets."""
    struct = typing.get_origin(kind) or kind
    fields = {field.name: field for field in typing.cast("mi.StructType", mi.type_info(kind)).fields}
    names = _of_entity(struct) if issubclass(struct, Entity) else list(fields)
    defaults = {field.name: field for field in msgspec.structs.fields(struct)}
    return tuple(_part(f"{struct.__name__}.{name}", fields[name], _default(defaults[name])) for name in names)


def _of_entity(cls: type[Entity]) -> list[str]:
    return [*Entity.__struct_fields__, *(field.name for field in type_of(cls).shown)]


def _part(place: str, field: mi.Field, default: Any) -> Part:
    shape = _shape(place, field.type)
    if shape.gathers and shape.nullable:
        raise ContractRefused(problem=f"{place}: protobuf does not tell null from an empty list or map.")
    if shape.gathers and default is not NODEFAULT and default is not UNSET and default:
        raise ContractRefused(problem=f"{place}: a list or map that is left out can only be empty.")
    return Part(field.name, shape, default)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def _shape(place: str, described: Any) -> TypeMapping:
    doc = ""
    while isinstance(described, mi.Metadata):
        doc = doc or (described.extra_json_schema or {}).get("description", "")
        described = described.type
    if isinstance(described, mi.UnionType):
        return _nullable(place, described, doc)
    return msgspec.structs.replace(_bare(place, described), doc=doc)


def _nullable(place: str, described: mi.UnionType, doc: str) -> TypeMapping:
    arms = [arm for arm in described.types if not isinstance(arm, mi.NoneType)]
    if len(arms) != 1:
        raise ContractRefused(problem=f"{place}: a field has one type, and may be null beside it.")
    shape = _shape(place, arms[0])
    return msgspec.structs.replace(shape, nullable=True, doc=doc or shape.doc)


def _bare(place: str, described: Any) -> TypeMapping:
    match described:
        case mi.EnumType(cls=cls):
            return TypeMapping(form=Form.CHOICE, cls=cls)
        case mi.LiteralType(values=values) if all(isinstance(value, str) for value in values):
            return _SCALARS[mi.StrType]
        case mi.StructType(cls=cls):
            return TypeMapping(form=Form.RECORD, cls=cls)
        case mi.ListType(item_type=item):
            return TypeMapping(form=Form.LIST, inner=_single(place, item))
        case mi.DictType(value_type=mi.AnyType()):
            return TypeMapping(form=Form.OBJECT)
        case mi.DictType(key_type=mi.StrType(), value_type=value):
            return TypeMapping(form=Form.MAP, inner=_single(place, value))
    if type(described) not in _SCALARS:
        raise ContractRefused(problem=f"{place}: protobuf has nothing for {type(described).__name__}.")
    return _SCALARS[type(described)]


def _single(place: str, described: Any) -> TypeMapping:
    shape = _shape(place, described)
    if shape.nullable or shape.gathers:
        raise ContractRefused(problem=f"{place}: a list or map holds values, no nulls and no lists or maps.")
    return shape
