"""The contract: every method as a remote procedure, with its message classes and conversions."""

import typing
from collections.abc import Callable
from typing import Any

import msgspec
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from ovasabi.gateway.contract.protobuf import field_numbers
from ovasabi.gateway.contract.protobuf.codec import Codec, Convert
from ovasabi.gateway.contract.protobuf.descriptor_builder import Declared, declare
from ovasabi.gateway.contract.protobuf.descriptors import class_of, pool_of
from ovasabi.gateway.contract.protobuf.naming import message_name
from ovasabi.gateway.contract.protobuf.requests import Requests
from ovasabi.gateway.contract.protobuf.schema import File
from ovasabi.kernel.declare.methods import Call, Method
from ovasabi.kernel.store.listing import Page


class Rpc(msgspec.Struct, frozen=True, eq=False):
    """A method as a remote procedure. A server reads calls and writes responses; a client does the reverse."""

    service: str
    """The full name of its service, such as `ovasabi.content.v1.Contents`."""
    name: str
    method: Method
    streams: bool
    """Whether it streams its responses."""
    request_class: type[Message]
    response_class: type[Message]
    campaign: Callable[[Any], str | None]
    """Returns the campaign that a request names; None for the platform."""
    call: Callable[[Any], Call]
    """Returns the call of a request, validated; raises `BadRequest` with the field if it is invalid."""
    response: Callable[[Any], Any]
    """Returns the message of a response."""
    request: Callable[[Call], Any]
    """Returns the request message of a call."""
    value: Callable[[Any], Any]
    """Returns the response in a message."""

    @property
    def path(self) -> str:
        """The path of the procedure, such as `/ovasabi.content.v1.Contents/CreateContent`."""
        return f"/{self.service}/{self.name}"


class Contract:
    """All methods in protobuf; `assigned` are the numbers that fields already have."""

    def __init__(self, methods: list[Method], assigned: field_numbers.Numbers) -> None:
        declaration = declare(methods)
        self.files: tuple[File, ...] = field_numbers.numbered(declaration.files, assigned)
        """The files, each after those that it imports."""
        self.pool: DescriptorPool = pool_of(self.files)
        self._codec = Codec(class_of(self.pool, "google.protobuf.Struct"), self._values)
        self.rpcs: tuple[Rpc, ...] = tuple(map(self._rpc, declaration.methods))
        self.services: tuple[str, ...] = tuple(dict.fromkeys(rpc.service for rpc in self.rpcs))
        """The full names of the services."""

    def _rpc(self, declared: Declared) -> Rpc:
        method = declared.method
        request_class = class_of(self.pool, declared.request)
        response_class = class_of(self.pool, declared.response)
        requests = Requests(method, declared.layout, self._codec, request_class)
        write, value = self._response_conversions(method)
        return Rpc(
            service=declared.service,
            name=declared.name,
            method=method,
            streams=declared.streams,
            request_class=request_class,
            response_class=response_class,
            campaign=requests.campaign,
            call=requests.call,
            response=lambda value: response_class(**write(value)),
            request=requests.message,
            value=value,
        )

    def _response_conversions(self, method: Method) -> tuple[Convert, Convert]:
        """Returns the conversions that write a response, and that restore it."""
        response = method.response
        if response is None:
            return lambda value: {}, lambda message: None
        if typing.get_origin(response) is Page:
            return _pages(self._codec, method)
        return self._codec.writer(response), self._codec.loader(response)

    def _values(self, cls: Any) -> dict[str, int]:
        """Returns the numbers of the values of an enum."""
        name = message_name(cls)
        (enum,) = (enum for file in self.files for enum in file.enums if enum.name == name)
        return {value.name: value.number for value in enum.values}


def contract_of(methods: list[Method]) -> Contract:
    """Returns the contract of methods, with the numbers assigned in the files of `api`."""
    return Contract(methods, field_numbers.known(field_numbers.folder()))


def _pages(codec: Codec, method: Method) -> tuple[Convert, Convert]:
    """Returns the conversions of a page, whose items are in a field named after the entity's plural."""
    (kind,) = typing.get_args(method.response)
    write, load, plural = codec.writer(kind), codec.loader(kind), method.subject.plural

    def write_page(page: Any) -> dict[str, Any]:
        items = [write(item) for item in page.items]
        return {plural: items, "next_page_token": page.next_page_token, "total_size": page.total_size}

    def load_page(message: Any) -> Any:
        total = message.total_size if message.HasField("total_size") else None
        return Page([load(item) for item in getattr(message, plural)], message.next_page_token, total)

    return write_page, load_page
