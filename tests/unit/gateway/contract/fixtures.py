"""Throw-away methods, and values of any declared type, for the tests of the protobuf contract."""

from datetime import UTC
from decimal import Decimal
from typing import Any

import msgspec
import msgspec.inspect as mi
from hypothesis import strategies as st
from msgspec import UNSET

from ovasabi.gateway.contract.protobuf.contract import Contract, Rpc
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import Entity, type_of
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, Resource, Subject
from ovasabi.kernel.service import services
from tests.samples import is_within

METHODS = [method for service in services for method in service.methods()]
CONTRACT = Contract(METHODS, {})
RPCS = {rpc.method.id: rpc for rpc in CONTRACT.rpcs}


def probe(
    name: str,
    operation: MethodKind,
    request: Any = None,
    response: Any = None,
    *,
    on_entity: bool = False,
    resource: Resource = Resource.CAMPAIGN,
    title: str = "Probes",
) -> Method:
    """A method of a service that there is not."""
    subject = Subject(title.lower(), title, "probe", "probe", "probes", "probes", "Probes.", resource)
    return Method(subject, name, operation, on_entity, request, response, Role.READER, f"Does {name}.")


def rpc_of(method: Method) -> Rpc:
    """A method of that kind, alone in a contract."""
    (rpc,) = Contract([method], {}).rpcs
    return rpc


def sent(rpc: Rpc, message: Any) -> Any:
    """A request as it arrives: through its bytes."""
    return rpc.request_class.FromString(message.SerializeToString())


def answered(rpc: Rpc, value: Any) -> Any:
    """A value as it is read at the other end: through its bytes."""
    return rpc.value(rpc.response_class.FromString(rpc.response(value).SerializeToString()))


def call_of(method: Method, request: Any) -> Call:
    """A call with everything that the method takes, and one request."""
    return Call(
        method=method,
        campaign=None if method.resource is Resource.PLATFORM else "python",
        target="17" if method.on_entity and method.resource is not Resource.ITSELF else None,
        request=request,
        expected_version=3 if method.takes_version else None,
        key="client:k" if method.takes_key else None,
    )


def json_values() -> st.SearchStrategy[Any]:
    """What JSON can say; whole numbers as far as all are exact."""
    numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    leaves = st.none() | st.booleans() | numbers | st.text()
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def values(kind: Any, inside: tuple[type, ...] = ()) -> st.SearchStrategy[Any]:
    """Values of a struct class, within its limits."""
    described = mi.type_info(kind)
    assert isinstance(described, mi.StructType)
    struct = getattr(kind, "__origin__", kind)
    hidden = set()
    if issubclass(struct, Entity):
        hidden = {field.name for field in type_of(struct).fields} - {field.name for field in type_of(struct).shown}
    defaults = {field.name: field.default for field in msgspec.structs.fields(struct)}
    needed = {field.name: typed(field.type, inside) for field in described.fields if field.name not in hidden}
    unset = {name: st.just(UNSET) | given for name, given in needed.items() if defaults[name] is UNSET}
    return st.builds(struct, **(needed | unset))


def requests(method: Method) -> st.SearchStrategy[Any]:
    """Requests of a method, within the limits of its type; decimals in a form that is accepted."""
    made = values(method.request)
    if method.forms is None:
        return made
    forms = {}
    for field in mi.type_info(method.forms).fields:  # type: ignore[attr-defined]
        text = next(arm for arm in field.type.types if isinstance(arm, mi.StrType))
        forms[field.name] = st.from_regex(text.pattern, fullmatch=True).map(Decimal)
    return st.builds(_with_decimals, made, st.fixed_dictionaries(forms))


def _with_decimals(request: Any, decimals: dict[str, Decimal]) -> Any:
    held = {name: value for name, value in decimals.items() if isinstance(getattr(request, name), Decimal)}
    return msgspec.structs.replace(request, **held)


def typed(described: Any, inside: tuple[type, ...] = ()) -> st.SearchStrategy[Any]:
    """Values of one type, within its limits; a struct is at most twice in itself."""
    match described:
        case mi.Metadata(type=inner):
            return typed(inner, inside)
        case mi.UnionType(types=arms):
            return st.one_of(*(typed(arm, inside) for arm in arms if not is_within(arm, _twice(inside))))
        case mi.StrType(pattern=pattern) if pattern is not None:
            return st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= (described.max_length or 99))
        case mi.StrType(min_length=least, max_length=most):
            return st.text(min_size=least or 0, max_size=min(most or 20, 20))
        case mi.IntType():
            return whole_numbers(described)
        case mi.FloatType(ge=ge, le=le):
            return st.floats(ge, le, allow_nan=False, allow_infinity=False)
        case mi.ListType(item_type=item):
            return st.lists(typed(item, inside), max_size=3) if not is_within(item, _twice(inside)) else st.just([])
        case mi.DictType(value_type=mi.AnyType()):
            return st.dictionaries(st.text(), json_values(), max_size=3)
        case mi.DictType(key_type=key, value_type=value):
            ends = is_within(value, _twice(inside))
            return st.just({}) if ends else st.dictionaries(typed(key), typed(value, inside), max_size=3)
        case mi.EnumType(cls=cls):
            return st.sampled_from(cls)
        case mi.LiteralType(values=known):
            return st.sampled_from(known)
        case mi.StructType(cls=cls):
            return values(cls, (*inside, cls))
    return _LEAVES[type(described)]


def _twice(inside: tuple[type, ...]) -> tuple[type, ...]:
    return tuple(cls for cls in inside if inside.count(cls) > 1)


def whole_numbers(described: mi.IntType) -> st.SearchStrategy[int]:
    """Whole numbers within the limits of a type, and those of what keeps them."""
    least = described.ge if described.ge is not None else -(2**63) if described.gt is None else described.gt + 1
    most = described.le if described.le is not None else 2**63 - 1 if described.lt is None else described.lt - 1
    step = described.multiple_of or 1
    return st.integers(-(-least // step), most // step).map(lambda number: number * step)


_LEAVES: dict[type, st.SearchStrategy[Any]] = {
    mi.NoneType: st.none(),
    mi.BoolType: st.booleans(),
    mi.BytesType: st.binary(),
    mi.DateType: st.dates(),
    mi.DateTimeType: st.datetimes(timezones=st.just(UTC)),
    mi.UUIDType: st.uuids(),
    mi.DecimalType: st.decimals(allow_nan=False, allow_infinity=False),
}
