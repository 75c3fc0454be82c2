"""A decimal is taken, refused and published in the same form at every door, whatever its digits and bounds are."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any

import jsonschema_rs
import msgspec
import pytest
from msgspec import Meta

from ovasabi.decimals import to_builtins, to_json
from ovasabi.errors import OvasabiError
from ovasabi.gateway.contract.openapi.schemas import Schemas
from ovasabi.gateway.contract.protobuf.contract import Contract
from ovasabi.gateway.http.messages import HttpRequest, json_response
from ovasabi.gateway.http.requests import call_of
from ovasabi.kernel.declare.entity import Entity, declared, entity, type_of
from ovasabi.kernel.declare.fields import Bounds, Filter, Numeric
from ovasabi.kernel.declare.methods import Method, MethodKind, read
from ovasabi.kernel.service import EntityService, services
from ovasabi.kernel.store.filters import filter_of, parse_filter
from ovasabi.kernel.store.listing import Page
from ovasabi.kernel.transfer.batches import Format, read_batches
from ovasabi.kernel.transfer.line_decoder import LineDecoder
from ovasabi_client.requests import Request

FIELDS: dict[str, Any] = {
    "offset": (Annotated[Decimal, Bounds(ge=-5, le=5), Numeric(10, 4), Filter()], Decimal("-1.5")),
    "above": (Annotated[Decimal, Bounds(gt=-1), Numeric(10, 4), Filter()], Decimal("-0.5")),
    "below": (Annotated[Decimal, Bounds(le=-1), Numeric(10, 4), Filter()], Decimal("-1E+2")),
    "plus": (Annotated[Decimal, Bounds(ge=0), Numeric(10, 4), Filter()], Decimal("0")),
    "plain": (Annotated[Decimal, Filter()], Decimal("1E-8")),
    "exact": (Annotated[Decimal, Numeric(38, 30), Filter()], Decimal("1E-20")),
    "huge": (Annotated[Decimal, Numeric(400, 2), Filter()], Decimal("1E+300")),
    "maybe": (Annotated[Decimal, Numeric(10, 4), Filter()] | None, None),
}
TEXTS = ["-1.5", "-0.5", "-7", "1", "0.0001", "+1", "1E-4", "1e2", "NaN", "Infinity", " 1", "1_0", "", ".5", "1.", "٣"]
TEXTS += ["-0", "1.0000000", "0001", "1." + "0" * 400]
TOO_LONG = "0" * 400 + "1"


class SamplePriced(msgspec.Struct):
    """A request whose default is a small decimal."""

    step: Annotated[Decimal, Meta(examples=[Decimal("1E-9")])] = Decimal("1E-8")
    most: Decimal | None = None


@pytest.fixture(scope="module")
def methods() -> Iterator[list[Method]]:
    """The methods of a type with decimals; neither it nor its service is left behind."""
    before = list(services)
    annotations = {"name": str} | {name: hint for name, (hint, _) in FIELDS.items()}
    defaults = {name: default for name, (_, default) in FIELDS.items()}
    body = {"__annotations__": annotations, "__doc__": "Amounts.", "__module__": "ovasabi.services.sampleamount.entity"}
    cls: Any = type(Entity)("Sampleamount", (Entity,), body | defaults, frozen=True)
    of = entity(plural="sampleamounts", title="name")(cls)

    class Sampleamounts(EntityService[of]):  # type: ignore[valid-type]
        """Amounts."""

        __module__ = "ovasabi.services.sampleamount.service"

        @read()
        async def price(self, request: SamplePriced) -> SamplePriced:
            """What it costs."""
            return request

    yield Sampleamounts.methods()
    del declared["sampleamount"]
    services[:] = before


def method_of(methods: list[Method], kind: MethodKind) -> Method:
    """The method of a kind."""
    return next(method for method in methods if method.operation is kind)


def over_http(method: Method, values: dict[str, Any]) -> Any:
    """The request that a body is read as."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(values).encode()}

    scope = {"method": "POST", "path": "/", "headers": [], "query_string": b""}
    return asyncio.run(call_of(method, HttpRequest(scope, receive), {"campaign": "a", "id": "1"})).request


def over_grpc(methods: list[Method], kind: MethodKind, values: dict[str, Any]) -> Any:
    """The request that a message is read as."""
    rpc = next(rpc for rpc in Contract(methods, {}).rpcs if rpc.method.operation is kind)
    target = {"id": "1"} if kind is MethodKind.UPDATE else {}
    return rpc.call(rpc.request_class(campaign="a", sampleamount=values, **target)).request


def imported(methods: list[Method], text: str, format: Format) -> Any:
    """The only new entity of a file."""
    of = type_of(methods[0].subject.entity)
    (batch,) = read_batches(io.BytesIO(text.encode()), LineDecoder(of, None), format)
    if batch.refused:
        raise batch.refused[0][1]
    return batch.rows[0].draft.values


def accepted(read: Callable[[], Any], field: str) -> Decimal | str:
    """The decimal that a door took, or that it refused it with the field's name."""
    try:
        request = read()
    except OvasabiError as error:
        return "refused" if error.field == field else str(error)
    value = request[field] if isinstance(request, dict) else getattr(request, field)
    assert isinstance(value, Decimal)
    return value


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", [*TEXTS, TOO_LONG])
def test_every_door_takes_the_same_texts(methods: list[Method], field: str, text: str) -> None:
    values = {"name": "a", field: text}
    create, update = method_of(methods, MethodKind.CREATE), method_of(methods, MethodKind.UPDATE)
    taken = {
        "create": accepted(lambda: over_http(create, values), field),
        "update": accepted(lambda: over_http(update, values), field),
        "gRPC create": accepted(lambda: over_grpc(methods, MethodKind.CREATE, values), field),
        "gRPC update": accepted(lambda: over_grpc(methods, MethodKind.UPDATE, values), field),
        "JSON": accepted(lambda: imported(methods, json.dumps(values), "jsonl"), field),
    }
    if text:  # an empty cell is a field that is not given
        taken["CSV"] = accepted(lambda: imported(methods, f'name,{field}\na,"{text}"\n', "csv"), field)
    assert len(set(taken.values())) == 1, taken


@pytest.mark.parametrize("field", FIELDS)
def test_a_negative_value_is_refused_only_where_none_can_be(methods: list[Method], field: str) -> None:
    create = method_of(methods, MethodKind.CREATE)
    for value in ("-1.5", -1.5):
        read = accepted(lambda value=value: over_http(create, {"name": "a", field: value}), field)  # type: ignore[misc]
        out_of_bounds = field == "plus" or (field == "above" and value == -1.5)
        assert read == ("refused" if (out_of_bounds and value == -1.5) or field == "plus" else Decimal("-1.5"))


@pytest.mark.parametrize("text", TEXTS)
def test_a_filter_compares_with_what_the_doors_take(methods: list[Method], text: str) -> None:
    of = type_of(methods[0].subject.entity)
    taken = accepted(lambda: over_http(method_of(methods, MethodKind.CREATE), {"name": "a", "maybe": text}), "maybe")
    try:
        compared = parse_filter(of, f'maybe = "{text}"', 1).values[0]
    except OvasabiError:
        compared = "refused"
    assert compared == taken


def test_a_cell_of_null_is_a_field_without_a_value(methods: list[Method]) -> None:
    assert imported(methods, "name,maybe\na,null\n", "csv")["maybe"] is None


def test_what_is_published_is_what_may_be_sent_back(methods: list[Method]) -> None:
    of, create = type_of(methods[0].subject.entity), method_of(methods, MethodKind.CREATE)
    for number in ("0E-8", "1E-20", "-1E-7", "1E+2", "0.00000000", "-0E-9"):
        value = {"value": Decimal(number), "inner": [{"E-1": Decimal(number)}], "text": "1E-7"}
        written = format(Decimal(number), "f")
        plain = format(abs(Decimal(number)) if Decimal(number) == 0 else Decimal(number), "f")
        assert json.loads(json_response(value).body) == {"value": plain, "inner": [{"E-1": plain}], "text": "1E-7"}
        assert parse_filter(of, filter_of("exact = {}", Decimal(number)), 1).values == (Decimal(number),)
        request = Request(method="GET", path="/", response=dict, query={"a": Decimal(number)}, body=value)
        assert json.loads(request.content or b"") == {**value, "value": written, "inner": [{"E-1": written}]}
        assert request.parameters == {"a": written}
    drafted = json.loads(json_response(over_http(create, {"name": "a"})).body)
    assert over_http(create, drafted) == over_http(create, {"name": "a"})


def test_decimals_are_found_wherever_a_value_may_hold_them(methods: list[Method]) -> None:
    create = method_of(methods, MethodKind.CREATE)
    draft, price = over_http(create, {"name": "a"}), SamplePriced()
    page, empty = Page([price], ""), Page[SamplePriced]([], "")
    for value in (draft, price, page, [page], {"a": [draft]}, (None, {"b": {"c": Decimal("1E-8")}}), [1, "a", price]):
        assert b'"0.00000001"' in to_json(value)
        assert b"E-" not in to_json(value)
        assert json.loads(to_json(value)) == to_builtins(value)
    for value in (empty, {"a": "1E-8"}, ["1E-8", 1.5e-8, None], [], {}, None, "1E-8"):
        assert to_json(value) == msgspec.json.encode(value)


def test_a_message_has_plain_digits(methods: list[Method]) -> None:
    create = next(rpc for rpc in Contract(methods, {}).rpcs if rpc.method.operation is MethodKind.CREATE)
    call = create.call(create.request_class(campaign="a", sampleamount={"name": "a"}))
    message = create.request(call)
    assert (message.sampleamount.exact, message.sampleamount.plain) == ("0." + "0" * 19 + "1", "0.00000001")
    assert create.call(message).request == call.request


def test_defaults_and_examples_fit_their_own_schemas(methods: list[Method]) -> None:
    components = json.loads(msgspec.json.encode(Schemas(methods).components))
    seen = 0
    for name, schema in components.items():
        for field, part in schema.get("properties", {}).items():
            fits = jsonschema_rs.validator_for(part | {"components": {"schemas": components}}).is_valid
            shown = [*part.get("examples", []), *([part["default"]] if "default" in part else [])]
            assert all(map(fits, shown)), f"{name}.{field}: {part}"
            seen += sum(isinstance(value, str) and "E" not in value for value in shown)
            assert "1E" not in str(shown)
    assert seen >= len(FIELDS)
