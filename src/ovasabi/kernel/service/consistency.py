"""What all declarations together must comply with: no name has two meanings, and every reference leads somewhere."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

import msgspec

from ovasabi.errors import DeclarationError, OvasabiError
from ovasabi.kernel.declare.checks.annotations import hints_of
from ovasabi.kernel.declare.checks.named_types import named_in
from ovasabi.kernel.declare.checks.structs import check_struct
from ovasabi.kernel.declare.checks.types import check_enum
from ovasabi.kernel.declare.entity import Entity, EntityType
from ovasabi.kernel.declare.methods import STANDARD, Method, MethodKind, Resource
from ovasabi.kernel.declare.names import check_class_name, check_snake
from ovasabi.kernel.service.base import Service
from ovasabi.kernel.service.references import check_namespaces, check_references
from ovasabi.kernel.store.listing import Page
from ovasabi.kernel.work.long_methods import Progress

OF_THE_CALL = frozenset({"campaign", "id", "idempotency_key", "update_mask", "expected_version", "as_of"})
"""What a call can have in addition to its request, and so what no field of a request can be named."""
_RENAME = "Rename one of them."


def check_consistency(services: Sequence[type[Service]], types: Iterable[EntityType]) -> None:
    """Raises `DeclarationError` for the first contradiction among services and the entity types that they own."""
    methods = [method for service in services for method in service.methods()]
    _check_services(services, types)
    check_references(types)
    check_namespaces(types)
    for method in methods:
        _check_request(method)
    for service in services:
        _check_progress(service)
    _check_texts(services, methods)
    _check_codes()
    _check_ids(methods)
    _check_places(methods)
    type_names(services, methods)


def _check_services(services: Sequence[type[Service]], types: Iterable[EntityType]) -> None:
    labels: dict[str, type[Service]] = {}
    for service in services:
        label = service.subject.label
        named = {"collection": label, "singular": service.subject.singular, "plural": service.subject.plural}
        for word, name in named.items():
            if name:
                check_snake(f"The {word} of {_path(service)}", name)
        _check_home(service)
        if (other := labels.setdefault(label, service)) is not service:
            raise DeclarationError(f"{_path(other)} and {_path(service)} are both the service {label}.", hint=_RENAME)
    names: dict[str, type[Service]] = {}
    for service in services:
        for name in {service.subject.label, service.subject.singular, service.subject.plural} - {""}:
            if (other := names.setdefault(name, service)) is not service:
                problem = f"{_path(other)} and {_path(service)} share the name {name}."
                raise DeclarationError(problem, hint=_RENAME)
    served = {service.subject.of for service in services}
    for of in types:
        if of not in served:
            problem = f"The entity {of.name} in {of.cls.__module__} has no service."
            raise DeclarationError(problem, hint=f"Declare `class …(EntityService[{of.cls.__name__}])` in service.py.")


def _check_home(service: type[Service]) -> None:
    """Refuses a service outside the folder of its entity: the folders are independent of each other."""
    of = service.subject.of
    if of is not None and _folder(service) != _folder(of.cls):
        problem = f"{_path(service)} is not in the folder of its entity, {_folder(of.cls)}."
        raise DeclarationError(problem, hint="Move it there.")


def _check_progress(service: type[Service]) -> None:
    """Refuses a long method whose last parameter is something other than its progress."""
    for method in service.methods():
        if method.operation is not MethodKind.LONG:
            continue
        function = getattr(service, method.function)
        *_, name = inspect.signature(function).parameters
        if hints_of(_method(method), function)[name] is not Progress:
            problem = f"The last parameter of {_method(method)}, {name}, must be a Progress."
            raise DeclarationError(problem, hint="Import it from ovasabi.kernel.work.long_methods.")


def _check_texts(services: Iterable[type[Service]], methods: Iterable[Method]) -> None:
    """Refuses documentation with characters that SQL or source code cannot contain."""
    texts = {_path(service): service.subject.doc for service in services}
    texts |= {_path(of.cls): of.cls.__doc__ or "" for service in services if (of := service.subject.of) is not None}
    texts |= {_method(method): method.doc for method in methods}
    for what, text in texts.items():
        if not text.replace("\n", " ").replace("\t", " ").isprintable():
            raise DeclarationError(f"The documentation of {what} has control characters.", hint="Remove them.")


def _check_codes() -> None:
    """Refuses two error classes with one code, by which clients tell errors apart."""
    found: dict[str, type[OvasabiError]] = {}
    waiting: list[type[OvasabiError]] = [OvasabiError]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if "code" not in vars(cls) or not cls.__module__.startswith("ovasabi."):
            continue
        other = found.setdefault(cls.code, cls)
        if _path(other) != _path(cls):
            problem = f"{_path(other)} and {_path(cls)} have the same code, {cls.code}."
            raise DeclarationError(problem, hint="Give one of them another code.")


def _check_request(method: Method) -> None:
    """Refuses a field that a call already has. The values of an entity are apart from those of its call."""
    if method.request is None or (method.subject.entity is not None and method.operation in STANDARD):
        return
    for name in OF_THE_CALL.intersection(method.request.__struct_fields__):
        problem = f"{method.request.__name__}, the request of {method.id}, has the field {name}, which calls have."
        raise DeclarationError(problem, hint="Rename the field.")


def _check_ids(methods: Iterable[Method]) -> None:
    found: dict[str, Method] = {}
    for method in methods:
        for id in (method.id, f"platform_{method.id}"):
            if (other := found.setdefault(id, method)) is not method:
                problem = f"{_method(other)} and {_method(method)} would both be called {id}."
                raise DeclarationError(problem, hint=_RENAME)


def _check_places(methods: Iterable[Method]) -> None:
    """Refuses two methods at one address, and one that has the name of a collection in the client."""
    places: dict[tuple[str, ...], Method] = {}
    collections = {method.subject.label: method for method in methods if method.subject.collection}
    for method in methods:
        for place in _places(method):
            if (other := places.setdefault(place, method)) is not method:
                problem = f"{_method(other)} and {_method(method)} would have the same address."
                raise DeclarationError(problem, hint=_RENAME)
        if not method.subject.collection and method.name in collections:
            problem = f"{_method(method)} has the name of the collection {method.name}."
            raise DeclarationError(problem, hint=_RENAME)


def _places(method: Method) -> Iterator[tuple[str, ...]]:
    """Yields what distinguishes the addresses of a method from those of others."""
    action = method.operation.value if method.operation in STANDARD else f":{method.name}"
    if method.resource is Resource.ITSELF:
        yield "campaign", "", "", action
        return
    scopes = {Resource.CAMPAIGN: ["campaign"], Resource.PLATFORM: [""], Resource.EITHER: ["campaign", ""]}
    for scope in scopes[method.resource]:
        yield scope, method.subject.collection, "id" if method.on_entity else "", action


def type_names(services: Iterable[type[Service]], methods: Iterable[Method]) -> dict[str, str]:
    """Returns what each name in the contracts means; refuses two classes of one name, since it can mean only one."""
    found: dict[str, str] = {}

    def add(name: str, origin: str) -> None:
        if (other := found.setdefault(name, origin)) != origin:
            problem = f"The name {name} has two meanings in the API: {other} and {origin}."
            raise DeclarationError(problem, hint=_RENAME)

    for kind in dict.fromkeys(_types(methods)):
        check_class_name("The class", kind.__name__)
        _check_type(kind)
        add(kind.__name__, _path(kind))
        if issubclass(kind, Enum):
            add(f"{kind.__name__}Name", f"the values of {_path(kind)}")
    for service in services:
        add(service.__name__, _path(service))
        of = service.subject.of
        if of is not None:
            for suffix in ("Draft", "Patch", "Written"):
                add(f"{of.cls.__name__}{suffix}", f"the {suffix.lower()} of {_path(of.cls)}")
            add(f"{of.service.capitalize()}Metadata", f"the metadata of {of.service}")
    return found


def _check_type(kind: type) -> None:
    """Checks a class in the contracts; the fields of an entity were checked when it was declared."""
    if issubclass(kind, msgspec.Struct):
        check_struct(kind, frozenset(kind.__struct_fields__ if issubclass(kind, Entity) else ()))
    elif issubclass(kind, Enum):
        check_enum("A method", kind)


def _types(methods: Iterable[Method]) -> Iterator[type]:
    yield Entity
    for method in methods:
        of = method.subject.of
        made: tuple[Any, ...] = () if of is None else (of.draft, of.patch)
        for hint in (method.request, method.response, method.result, method.subject.entity):
            yield from (kind for kind in named_in(hint) if kind not in made and kind is not Page)


def _folder(kind: type) -> str:
    return kind.__module__.rpartition(".")[0]


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def _method(method: Method) -> str:
    return f"{method.subject.title}.{method.name}"
