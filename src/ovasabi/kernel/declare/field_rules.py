"""What a declaration of fields must comply with, so that every table, statement and contract can be derived from it."""

import inspect
import math
import re
import typing
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, UnsetType

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.input_errors import plain
from ovasabi.kernel.declare.checks.arguments import check_marker
from ovasabi.kernel.declare.checks.types import check_type
from ovasabi.kernel.declare.fields import (
    INDEXED_BYTES,
    Bounds,
    Field,
    Filter,
    FromMetadata,
    Immutable,
    Marker,
    Numeric,
    Output,
    Personal,
    Reference,
    Search,
    Secret,
    Unique,
)
from ovasabi.kernel.declare.names import (
    MAX_IDENTIFIER,
    METADATA_ROOTS,
    RESERVED_COLUMNS,
    SYSTEM_COLUMNS,
    UNQUOTABLE,
    check_not_reserved,
    check_snake,
)

_MARKERS = (Bounds, Filter, FromMetadata, Immutable, Numeric, Output, Personal, Reference, Search, Secret, Unique)
_LONGEST_SUFFIX = len("__check")
_MAX_FIELDS = 500
"""A row of so many short values fits a page of PostgreSQL, which cannot be split."""
_MAX_DIGITS = 1000
_UNFIT = re.compile("[\0\ud800-\udfff]")
_PARAMETER = re.compile(r"(?<![:\w\\]):\w+(?!:)")
"""How SQLAlchemy finds parameters, also within quotes."""
_PATH = re.compile(rf"(?:{'|'.join(METADATA_ROOTS)})(?:\.(?!null\b)[a-z][a-z0-9_]*){{0,18}}")


def check_fields(name: str, table: str, cls: type[msgspec.Struct], base: type, fields: tuple[Field, ...]) -> None:
    """Raises `DeclarationError` for the first field that is not valid. `name` is the entity type, `table` its table."""
    _check_inherited(name, cls, base)
    if len(fields) > _MAX_FIELDS:
        raise DeclarationError(f"{name} has {len(fields)} fields: at most {_MAX_FIELDS} are possible.")
    columns: dict[str, str] = {}
    renamed = {field.name: field.encode_name for field in msgspec.structs.fields(cls)}
    for field in fields:
        what = f"The field {field.name} of {name}"
        check_snake(what, field.name)
        for column in (field.name, field.column):
            check_not_reserved(what, column, RESERVED_COLUMNS | SYSTEM_COLUMNS | UNQUOTABLE)
        if renamed[field.name] != field.name:
            raise DeclarationError(f"{what} has another name in JSON.", hint="Omit msgspec.field(name=…).")
        if (other := columns.setdefault(field.column, field.name)) != field.name:
            raise DeclarationError(f"{what} and {other} have the same column.", hint="Rename one of them.")
        check_type(what, field.annotation, stored=True, markers=_MARKERS)
        if field.meta is not None and field.meta.tz is False:
            raise DeclarationError(f"{what} has no time zone, but timestamps are stored in UTC.", hint="Use tz=True.")
        if isinstance(field.base, type) and issubclass(field.base, base):
            raise DeclarationError(f"{what} is an entity.", hint="Use an int with Reference(…), which holds its id.")
        _check_markers(what, field)
        _check_default(what, field)
        if len(f"{table}{field.column}") + _LONGEST_SUFFIX > MAX_IDENTIFIER:
            raise DeclarationError(f"{what} has a name that is too long for {table}.", hint="Choose a shorter name.")


def check_title(name: str, field: Field) -> None:
    """Raises `DeclarationError` unless a field can name its entity in the registry."""
    if field.nullable or field.has(Secret, FromMetadata) or _is_composite(field):
        problem = f"The title of {name} is {field.name}, which can be null, is not stored or is not a single value."
        raise DeclarationError(problem, hint="Choose a field that always has a value.")


def check_key(name: str, parts: Iterable[Field]) -> None:
    """Raises `DeclarationError` unless fields can be a natural key."""
    group = list(parts)
    key = "+".join(field.name for field in group)
    if not group or len({field.name for field in group}) < len(group):
        raise DeclarationError(f"A natural key of {name} is empty or names a field twice.")
    if len(group) > 1 and not all(field.has(Immutable) for field in group):
        raise DeclarationError(f"{name}: the parts of the natural key {key} must be Immutable.")
    for field in group:
        if _is_composite(field) or field.has(Secret, FromMetadata):
            problem = f"{name}: {field.name} cannot be part of a natural key, which must be a stored, single value."
            raise DeclarationError(problem)


def _check_inherited(name: str, cls: type, base: type[Any]) -> None:
    own = [klass for klass in cls.__mro__ if issubclass(klass, base) and klass is not base]
    redeclared = [field for field in base.__struct_fields__ for klass in own if field in inspect.get_annotations(klass)]
    if redeclared:
        problem = f"{name} declares the field {redeclared[0]}, which every entity has."
        raise DeclarationError(problem, hint="Rename the field.")


def _is_composite(field: Field) -> bool:
    return field.is_list or field.sql_type == "jsonb"


_FILTER = "is a Filter, so it must be a single value or a list of text"
_DERIVED = "is derived from metadata: declare it as `Annotated[str, FromMetadata(…)] | None = None`"
_DERIVED_ALONE = "is derived from metadata, so its other markers can only be Filter and Personal"
_SECRET = "is a Secret: declare it as `Annotated[str, Secret(…)] | UnsetType = UNSET`"
_DIGITS = "has Numeric with digits that are not possible: 0 ≤ scale < precision ≤ 1000"
_NO_PATH = "has FromMetadata with a path that is not possible"
_HINTS = {_NO_PATH: f"Use names in lower case, separated by dots, the first of {', '.join(METADATA_ROOTS)}."}
_TOO_LONG = f"is indexed, so its max_length must be between 1 and {INDEXED_BYTES}"
_FOUND = (Filter, Search, Unique, Output)
_SET = (Immutable, Output, Reference, Search, Secret, Unique)
_RULES: tuple[tuple[type[Marker], Callable[[Field, Any], object], str], ...] = (
    (Reference, lambda field, _: field.base is int, "is a Reference, so it must be an int"),
    (Reference, lambda field, _: _is_null(field), "is a Reference, so its only default is null"),
    (Reference, lambda field, _: not _has_limits(field), "is a Reference, so it has no limits of its own"),
    (Numeric, lambda field, _: field.base is Decimal, "has Numeric, so it must be a Decimal"),
    (Numeric, lambda _, mark: 0 <= mark.scale < mark.precision <= _MAX_DIGITS, _DIGITS),
    (Bounds, lambda field, _: field.base is Decimal, "has Bounds, so it must be a Decimal: other numbers use Meta"),
    (Bounds, lambda field, mark: not _is_empty(field, mark), "has Bounds that no value is within"),
    (Filter, lambda field, _: field.sql_type != "jsonb", _FILTER),
    (Filter, lambda field, _: not field.is_list or _is_text(field), _FILTER),
    (Search, lambda field, _: _is_text(field), "has Search, so it must be text or a list of text"),
    (Search, lambda _, mark: mark.weight in ("A", "B", "C", "D"), "has Search, whose weight must be A, B, C or D"),
    (Unique, lambda field, _: not _is_composite(field), "is Unique, so it must be a single value"),
    (Unique, lambda field, mark: not mark.fold or field.base is str, "has Unique(fold=True), so it must be text"),
    (Unique, lambda field, _: _is_null(field), "is Unique, so its only default is null"),
    (Secret, lambda field, _: field.base is str and _allows(field, UnsetType), _SECRET),
    (Secret, lambda field, _: not field.required and _is_null(field), _SECRET),
    (Secret, lambda field, _: not field.has(*_FOUND), "is a Secret, so it is neither an Output nor found by its value"),
    (FromMetadata, lambda field, _: field.base is str and _allows(field, type(None)), _DERIVED),
    (FromMetadata, lambda field, _: not field.required and _is_null(field), _DERIVED),
    (FromMetadata, lambda field, _: not field.has(*_SET), _DERIVED_ALONE),
    (FromMetadata, lambda _, mark: _PATH.fullmatch(mark.path), _NO_PATH),
    (FromMetadata, lambda _, mark: 1 <= mark.max_length <= INDEXED_BYTES, _TOO_LONG),
    (Output, lambda field, _: not field.required, "is an Output, which no client can set, so it needs a default"),
)
"""What each marker requires of its field and of its arguments, and what is wrong otherwise."""


def _check_markers(what: str, field: Field) -> None:
    kinds = [type(marker) for marker in field.markers]
    if twice := [kind.__name__ for kind in kinds if kinds.count(kind) > 1]:
        raise DeclarationError(f"{what} has the marker {twice[0]} twice.", hint="Remove one of them.")
    for marker in field.markers:
        check_marker(what, marker)
        for kind, is_allowed, text in _RULES:
            if isinstance(marker, kind) and not is_allowed(field, marker):
                raise DeclarationError(f"{what} {text}.", hint=_HINTS.get(text))


def _is_null(field: Field) -> bool:
    """Returns whether the field has no default other than null."""
    return field.required or field.initial() is None


def _has_limits(field: Field) -> bool:
    meta = field.meta or Meta()
    return {meta.ge, meta.gt, meta.le, meta.lt, meta.multiple_of} != {None}


def _allows(field: Field, only: type) -> bool:
    """Returns whether a field may have no value, in one of the two ways only."""
    hint = field.annotation
    arms = typing.get_args(typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint)
    return {arm for arm in (type(None), UnsetType) if arm in arms} == {only}


def _is_empty(field: Field, bounds: Bounds) -> bool:
    """Returns whether no decimal of the column is within the bounds."""
    limit = (field.get(Numeric) or Numeric()).limit
    lows = [low for low in (bounds.ge, bounds.gt) if low is not None]
    if len(lows) > 1:
        return True
    low, high = max([*lows, 1 - limit]), limit if bounds.le is None else bounds.le
    return low > high or low >= limit or (low == high and bounds.gt is not None)


def _check_default(what: str, field: Field) -> None:
    """Refuses a default that is not a value of the field, or that no column can have."""
    if field.required or field.has(Secret):
        return
    value = _made(what, field)
    if value is None and not field.nullable:
        raise DeclarationError(f"{what} has the default null, but not the type.", hint="Add `| None` to its type.")
    if value is not None and field.nullable:
        raise DeclarationError(f"{what} can be null, so its default must be null.", hint="Use `| None = None`.")
    if not (value is None or value in ([], {}) or isinstance(value, bool | int | float | str | Decimal)):
        raise DeclarationError(f"{what} has a default that is not possible in SQL.", hint="Use `| None = None`.")
    try:
        converted = msgspec.convert(msgspec.to_builtins(value), field.request_type)
        _check_writable(value, field)
        if type(converted) is not type(value):
            raise ValueError(f"it is not of the type {type(converted).__name__}")
        if _made(what, field) != value:
            raise ValueError("it is not always the same")
    except ValueError as error:
        raise DeclarationError(f"{what} has the default {value!r}, which is not valid: {plain(error)}.") from error


def _made(what: str, field: Field) -> Any:
    try:
        return field.initial()
    except Exception as error:  # a factory can be any function
        problem = f"{what} has a default that cannot be made: {type(error).__name__}: {error}."
        raise DeclarationError(problem, hint="Use a function without parameters.") from error


def _check_writable(value: Any, field: Field) -> None:
    """Raises `ValueError` for a value that PostgreSQL would reject or round."""
    if isinstance(value, str) and _UNFIT.search(value):
        raise ValueError("it has characters that PostgreSQL cannot store")
    if isinstance(value, str) and (found := _PARAMETER.search(value)):
        raise ValueError(f"a migration would take {found[0]} for a parameter")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it is not a finite number")
    if isinstance(value, Decimal):
        digits, bounds = field.get(Numeric) or Numeric(), field.get(Bounds) or Bounds()
        if not re.fullmatch(digits.pattern(signed=True), format(value, "f")):
            raise ValueError(f"it has more digits than {field.sql_type}")
        if problem := bounds.problem(value):
            raise ValueError(f"it {problem}")


def _is_text(field: Field) -> bool:
    return field.sql_type.removesuffix("[]").partition("(")[0] in ("text", "varchar")
