"""Builds the files of the contract from methods: a gRPC service for each service, and the messages of its methods."""

import typing

import msgspec

from ovasabi.gateway.contract.protobuf.layout import Layout, layout_of, request_structs
from ovasabi.gateway.contract.protobuf.messages import TIMESTAMP, Messages
from ovasabi.gateway.contract.protobuf.naming import file_of, json_name, package_of, rpc_name, service_name
from ovasabi.gateway.contract.protobuf.schema import (
    STANDARD,
    ContractRefused,
    Enum,
    Field,
    File,
    Label,
    Message,
    Procedure,
    Service,
    Sort,
    Type,
)
from ovasabi.gateway.wire.paths import addresses_of, verb_of
from ovasabi.kernel.declare.methods import Method, MethodKind, ordered
from ovasabi.kernel.store.listing import Page

EMPTY = "google.protobuf.Empty"
_STRING = Type("string")
_INT64 = Type("int64")
_KEY = Field(
    "idempotency_key", _STRING, Label.OPTIONAL, "Repeating the request with the same key has no further effect."
)
_MASK = Field(
    "update_mask",
    Type("google.protobuf.FieldMask", Sort.MESSAGE),
    doc="The fields to set; those without a value are cleared. If omitted, the fields that have a value are set.",
)
_VERSION = Field("expected_version", _INT64, Label.OPTIONAL, "The expected version of the entity.")
_AS_OF = Field("as_of", TIMESTAMP, doc="Return the entity as it was at this time.")


class Declared(msgspec.Struct, frozen=True):
    """A method in the contract."""

    method: Method
    service: str
    name: str
    layout: Layout
    request: str
    response: str

    @property
    def streams(self) -> bool:
        """Whether it streams its responses."""
        return self.method.operation is MethodKind.WATCH


class Declaration(msgspec.Struct, frozen=True):
    """All methods in the contract, and its files."""

    methods: tuple[Declared, ...]
    files: tuple[File, ...]


def declare(methods: list[Method]) -> Declaration:
    """Returns the contract of methods, without field numbers."""
    messages = Messages(request_structs(methods))
    declared = [_method(messages, method) for method in ordered(methods)]
    return Declaration(tuple(declared), _files(messages, declared))


def _method(messages: Messages, method: Method) -> Declared:
    layout, package, name = layout_of(method), package_of(method.subject.folder), rpc_name(method)
    fields = _fields(messages, method, layout)
    request = Message(f"{package}.{name}Request", fields, f"The request of {method.subject.title}.{name}.")
    messages.add(request)
    response = _response(messages, method, f"{package}.{name}Response")
    return Declared(method, service_name(method), name, layout, request.name, response)


def _fields(messages: Messages, method: Method, layout: Layout) -> tuple[Field, ...]:
    fields: list[Field] = []
    if layout.campaign:
        label = Label.OPTIONAL if layout.campaign_optional else Label.PLAIN
        text = "The campaign, by slug or number" + (". If omitted, the platform." if layout.campaign_optional else ".")
        fields.append(Field("campaign", _STRING, label, text))
    if layout.target:
        fields.append(Field("id", _STRING, doc=f"The {method.subject.singular}, by id or uuid."))
    if layout.body:
        fields.append(Field(layout.body, Type(_body_message(messages, method), Sort.MESSAGE)))
    fields += [messages.field(part, f"the request of {method.id}", sent=True) for part in layout.values]
    optional = ((layout.key, _KEY), (layout.mask, _MASK), (layout.version, _VERSION), (layout.as_of, _AS_OF))
    return (*fields, *(field for included, field in optional if included))


def _body_message(messages: Messages, method: Method) -> str:
    """Declares a draft or patch in the folder of its entity, since its class is created by the kernel."""
    name = f"{package_of(method.subject.folder)}.{method.request.__name__}"
    return messages.declare(method.request, name, masked=method.operation is MethodKind.UPDATE)


def _response(messages: Messages, method: Method, name: str) -> str:
    response = method.response
    if response is None:
        return EMPTY
    if typing.get_origin(response) is Page:
        return messages.add(_page(messages, method, name))
    if not issubclass(typing.get_origin(response) or response, msgspec.Struct):
        raise ContractRefused(problem=f"{method.id} returns {response}, which is not a struct.")
    return messages.declare(response, name if typing.get_args(response) else None)


def _page(messages: Messages, method: Method, name: str) -> Message:
    (kind,) = typing.get_args(method.response)
    fields = (
        Field(method.subject.plural, Type(messages.declare(kind), Sort.MESSAGE), Label.REPEATED),
        Field("next_page_token", _STRING, doc="The token of the next page; empty on the last page."),
        Field("total_size", _INT64, Label.OPTIONAL, "Set only with include_total."),
    )
    return Message(name, fields, f"A page of {method.subject.plural}.")


def _files(messages: Messages, declared: list[Declared]) -> tuple[File, ...]:
    services: dict[str, list[Declared]] = {}
    for each in declared:
        services.setdefault(each.service, []).append(each)
    paths = dict.fromkeys(map(file_of, (*services, *messages.messages, *messages.enums)))
    files = [_file(path, messages, {n: d for n, d in services.items() if file_of(n) == path}) for path in sorted(paths)]
    return _in_import_order(files)


def _file(path: str, messages: Messages, services: dict[str, list[Declared]]) -> File:
    inside = [message for name, message in messages.messages.items() if file_of(name) == path]
    enums = [enum for name, enum in messages.enums.items() if file_of(name) == path]
    if not services:  # shared types: their order must not depend on which service uses them first
        inside.sort(key=lambda message: message.name)
        enums.sort(key=lambda enum: enum.name)
    _check_symbols(path, [*(each for each in services), *(message.name for message in inside)], enums)
    for message in inside:
        _check_json_names(message)
    used = {field.type.name for message in inside for field in message.fields if field.type.sort is not Sort.SCALAR}
    used |= {name for methods in services.values() for each in methods for name in (each.request, each.response)}
    return File(
        path=path,
        package=".".join(path.split("/")[:-1]),
        imports=tuple(sorted(set(map(file_of, used)) - {path})),
        services=tuple(_service(name, methods) for name, methods in services.items()),
        messages=tuple(inside),
        enums=tuple(enums),
    )


def _check_symbols(path: str, named: list[str], enums: list[Enum]) -> None:
    """Refuses two things of one name. The values of an enum are named beside the enum, not within it."""
    symbols = [name.rpartition(".")[2] for name in (*named, *(enum.name for enum in enums))]
    symbols += [value.name for enum in enums for value in enum.values]
    if twice := {symbol for symbol in symbols if symbols.count(symbol) > 1}:
        problem = f"Two services, messages, enums or values in {path} would be named {min(twice)}."
        raise ContractRefused(problem, hint="Rename one of them.")


def _check_json_names(message: Message) -> None:
    names: dict[str, str] = {}
    for field in message.fields:
        if (other := names.setdefault(json_name(field.name), field.name)) != field.name:
            problem = f"The fields {other} and {field.name} of {message.name} would have the same name in JSON."
            raise ContractRefused(problem, hint="Rename one of them.")


def _service(name: str, methods: list[Declared]) -> Service:
    names = [each.name for each in methods]
    if twice := {each for each in names if names.count(each) > 1}:
        raise ContractRefused(problem=f"Two methods of {name} are named {min(twice)}.")
    procedures = [
        Procedure(each.name, each.request, each.response, each.streams, _doc(each.method)) for each in methods
    ]
    return Service(name, tuple(procedures), methods[0].method.subject.doc)


def _doc(method: Method) -> str:
    routes = "\n".join(f"{verb_of(method)} {address}" for address in addresses_of(method))
    return f"{method.doc}\n\nRequires the `{method.role.value}` role. Over HTTP:\n{routes}"


def _in_import_order(files: list[File]) -> tuple[File, ...]:
    """Returns the files, each after those that it imports; raises `ContractRefused` on an import cycle."""
    pending, done = {file.path: file for file in files}, list[File]()
    while pending:
        importable = {*STANDARD.values(), *(file.path for file in done)}
        ready = [file for file in pending.values() if importable.issuperset(file.imports)]
        if not ready:
            cycle = ", ".join(sorted(pending))
            hint = "Move types used by several services to the lowest of them, or to the kernel."
            raise ContractRefused(problem=f"These files would form an import cycle: {cycle}.", hint=hint)
        done += ready
        pending = {path: file for path, file in pending.items() if file not in ready}
    return tuple(done)
