"""The worst that a caller can send is refused in a few bytes, and other calls go on meanwhile."""

from typing import Any

import grpc
import httpx
import msgspec
import pytest
from google.protobuf.struct_pb2 import Struct

from ovasabi.gateway.wire.paths import addresses_of, verb_of
from ovasabi.kernel.declare.methods import Method, MethodKind
from ovasabi.kernel.service import declared_methods
from tests.integration.gateway.grpc_fixtures import Refused, Wire, rpcs
from tests.integration.gateway.worst_inputs import bodies

WRITING = [method for method in declared_methods() if method.writes and method.request is not None]
MEGABYTE = 1_000_000
SMALL = 16_384
"""Bytes of an answer to something wrong."""


def names_of(method: Method) -> list[str]:
    """The fields of a method's request."""
    return [field.encode_name for field in msgspec.structs.fields(method.request)]


async def sent(client: httpx.AsyncClient, method: Method, shop: str, body: bytes) -> httpx.Response:
    """The answer to a body that a method gets over HTTP."""
    path = addresses_of(method)[0].format(campaign=shop.rpartition("/")[2], id=1)
    return await client.request(verb_of(method), path, content=body, headers={"content-type": "application/json"})


def test_each_method_that_takes_a_body_is_tried() -> None:
    assert len(WRITING) > 30


@pytest.mark.parametrize("method", WRITING, ids=lambda method: method.id)
async def test_a_megabyte_is_refused_in_a_few_bytes(operator: httpx.AsyncClient, shop: str, method: Method) -> None:
    named = [] if method.operation is MethodKind.LONG else names_of(method)
    for what, body in bodies(MEGABYTE, {}, named[:2]):
        told = await sent(operator, method, shop, body)
        assert 400 <= told.status_code < 500, (what, told.text[:200])
        assert len(told.content) <= SMALL, what


def filled(rpc: Any, campaign: str) -> list[tuple[str, Any]]:
    """Messages of a procedure, each with one field of about a megabyte."""
    made: list[tuple[str, Any]] = []
    for path, field in fields_of(rpc.request_class.DESCRIPTOR, ()):
        message = rpc.request_class()
        if "campaign" in rpc.request_class.DESCRIPTOR.fields_by_name:
            message.campaign = campaign
        if "id" in rpc.request_class.DESCRIPTOR.fields_by_name:
            message.id = "1"
        holder = message
        for name in path:
            holder = getattr(holder, name)
        fill(holder, field)
        made.append((".".join((*path, field.name)), message))
    return made


def fields_of(descriptor: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """The fields of a message that can be large, each with the path of the message that has it."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for field in descriptor.fields:
        of = field.message_type
        if of is None or field.is_repeated or of.full_name == Struct.DESCRIPTOR.full_name:
            if field.is_repeated or of is not None or field.cpp_type == field.CPPTYPE_STRING:
                found.append((path, field))
        elif of.full_name != "google.protobuf.Timestamp":
            found += fields_of(of, (*path, field.name))
    return found


def fill(message: Any, field: Any) -> None:
    """Fills a field with about a megabyte of the shortest values."""
    of = field.message_type
    if field.is_repeated and of is not None and of.GetOptions().map_entry:
        getattr(message, field.name).update({str(number): "" for number in range(MEGABYTE // 10)})
    elif field.is_repeated and of is None:
        getattr(message, field.name).extend([""] * (MEGABYTE // 2))
    elif of is not None and of.full_name == Struct.DESCRIPTOR.full_name:
        values = getattr(message, field.name).fields["a"].list_value.values
        for _ in range(MEGABYTE // 4):
            values.add().list_value.SetInParent()
    elif of is not None:
        for _ in range(MEGABYTE // 4):
            getattr(message, field.name).add()
    else:
        setattr(message, field.name, "1" * MEGABYTE)


LARGE = sorted(name for name, rpc in rpcs().items() if fields_of(rpc.request_class.DESCRIPTOR, ()))


@pytest.mark.parametrize("name", LARGE)
async def test_a_megabyte_over_grpc_is_refused(
    addresses: tuple[str, str], operator: httpx.AsyncClient, shop: str, name: str
) -> None:
    async with Wire(addresses[1], operator.headers["authorization"]) as wire:
        for field, message in filled(rpcs()[name], shop.rpartition("/")[2]):
            told = await wire.ask(name, message)
            if isinstance(told, Refused):
                assert told.code not in ("", "internal"), (field, told)
                assert told.status not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL), (field, told)
            else:
                assert field == "data", (field, told)  # The lines of an import are what may be as long.
