"""Maps Python types to protobuf, with the conversions that they need; unsupported types are refused."""

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

from ovasabi.decimals import plain
from ovasabi.gateway.contract.protobuf.schema import ContractRefused
from ovasabi.kernel.declare.entity import Entity, type_of


class Form(StrEnum):
    """How a value is represented in protobuf."""

    SCALAR = "scalar"
    MOMENT = "moment"
    """A Timestamp."""
    CHOICE = "choice"
    """An enum."""
    OBJECT = "object"
    """Any JSON object: a Struct."""
    RECORD = "record"
    """A struct class: a message."""
    LIST = "list"
    MAP = "map"


class TypeMapping(msgspec.Struct, frozen=True, kw_only=True):
    """The representation of a Python type in protobuf."""

    form: Form
    word: str = ""
    """The keyword of the scalar's type in protobuf."""
    cls: Any = None
    """The class of an enum or a struct."""
    inner: "TypeMapping | None" = None
    """The type of the items of a list or a map."""
    nullable: bool = False
    doc: str = ""
    write: Callable[[Any], Any] | None = None
    """From the Python value to the scalar, if they differ."""
    read: Callable[[Any], Any] | None = None
    """From the scalar to the Python value, if they differ."""

    @property
    def gathers(self) -> bool:
        """Whether it is a list or a map: protobuf does not distinguish an absent one from an empty one."""
        return self.form in (Form.LIST, Form.MAP)


class Part(msgspec.Struct, frozen=True):
    """A field of a struct."""

    name: str
    shape: TypeMapping
    default: Any
    """The value if the field is omitted; NODEFAULT if it is required."""

    @property
    def unsettable(self) -> bool:
        """Whether it can be omitted, which is distinct from null."""
        return self.default is UNSET


_SCALARS: dict[type, TypeMapping] = {
    mi.StrType: TypeMapping(form=Form.SCALAR, word="string"),
    mi.IntType: TypeMapping(form=Form.SCALAR, word="int64"),
    mi.BoolType: TypeMapping(form=Form.SCALAR, word="bool"),
    mi.FloatType: TypeMapping(form=Form.SCALAR, word="double"),
    mi.BytesType: TypeMapping(form=Form.SCALAR, word="bytes"),
    mi.DateType: TypeMapping(form=Form.SCALAR, word="string", write=date.isoformat, read=date.fromisoformat),
    mi.UUIDType: TypeMapping(form=Form.SCALAR, word="string", write=str, read=UUID),
    mi.DecimalType: TypeMapping(form=Form.SCALAR, word="string", write=plain, read=Decimal),
    mi.DateTimeType: TypeMapping(form=Form.MOMENT),
}


@cache
def parts_of(kind: Any) -> tuple[Part, ...]:
    """Returns the fields of a struct class; for an entity, the common fields first, and no secrets."""
    struct = typing.get_origin(kind) or kind
    fields = {field.name: field for field in typing.cast("mi.StructType", mi.type_info(kind)).fields}
    names = _of_entity(struct) if issubclass(struct, Entity) else list(fields)
    defaults = {field.name: field for field in msgspec.structs.fields(struct)}
    return tuple(_part(f"{struct.__name__}.{name}", fields[name], _default(defaults[name])) for name in names)


def _of_entity(cls: type[Entity]) -> list[str]:
    return [*Entity.__struct_fields__, *(field.name for field in type_of(cls).shown)]


def _part(path: str, field: mi.Field, default: Any) -> Part:
    shape = _shape(path, field.type)
    if shape.gathers and shape.nullable:
        raise ContractRefused(problem=f"{path}: protobuf cannot tell null from an empty list or map.")
    if shape.gathers and default is not NODEFAULT and default is not UNSET and default:
        raise ContractRefused(problem=f"{path}: the default of a list or map must be empty.")
    return Part(field.name, shape, default)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def _shape(path: str, described: Any) -> TypeMapping:
    doc = ""
    while isinstance(described, mi.Metadata):
        doc = doc or (described.extra_json_schema or {}).get("description", "")
        described = described.type
    if isinstance(described, mi.UnionType):
        return _nullable(path, described, doc)
    return msgspec.structs.replace(_bare(path, described), doc=doc)


def _nullable(path: str, described: mi.UnionType, doc: str) -> TypeMapping:
    arms = [arm for arm in described.types if not isinstance(arm, mi.NoneType)]
    if len(arms) != 1:
        raise ContractRefused(problem=f"{path}: a field must have one type, which may be nullable.")
    shape = _shape(path, arms[0])
    return msgspec.structs.replace(shape, nullable=True, doc=doc or shape.doc)


def _bare(path: str, described: Any) -> TypeMapping:
    match described:
        case mi.EnumType(cls=cls):
            return TypeMapping(form=Form.CHOICE, cls=cls)
        case mi.LiteralType(values=values) if all(isinstance(value, str) for value in values):
            return _SCALARS[mi.StrType]
        case mi.StructType(cls=cls):
            return TypeMapping(form=Form.RECORD, cls=cls)
        case mi.ListType(item_type=item):
            return TypeMapping(form=Form.LIST, inner=_single(path, item))
        case mi.DictType(value_type=mi.AnyType()):
            return TypeMapping(form=Form.OBJECT)
        case mi.DictType(key_type=mi.StrType(), value_type=value):
            return TypeMapping(form=Form.MAP, inner=_single(path, value))
    if type(described) not in _SCALARS:
        raise ContractRefused(problem=f"{path}: protobuf has no type for {type(described).__name__}.")
    return _SCALARS[type(described)]


def _single(path: str, described: Any) -> TypeMapping:
    shape = _shape(path, described)
    if shape.nullable or shape.gathers:
        raise ContractRefused(problem=f"{path}: the items of a list or map must not be null, lists or maps.")
    return shape
