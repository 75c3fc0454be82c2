"""What all declarations together must comply with: no name has two meanings, and every reference leads somewhere."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

import msgspec

from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.checks.structs import check_struct
from ovasabi.kernel.declare.checks.types import check_enum
from ovasabi.kernel.declare.entity import Entity, EntityType, declared
from ovasabi.kernel.declare.fields import Reference
from ovasabi.kernel.declare.methods import STANDARD, Method, Resource
from ovasabi.kernel.declare.named_types import named_in
from ovasabi.kernel.declare.names import check_class_name, check_snake
from ovasabi.kernel.service.base import Service
from ovasabi.kernel.store.listing import Page

OF_THE_CALL = frozenset({"campaign", "id", "idempotency_key", "update_mask", "expected_version", "as_of"})
"""What a call can have in addition to its request, and so what no field of a request can be named."""
_RENAME = "Rename one of them."


def check_consistency(services: Sequence[type[Service]], types: Iterable[EntityType]) -> None:
    """Raises `DeclarationError` for the first contradiction among services and the entity types that they own."""
    methods = [method for service in services for method in service.methods()]
    _check_services(services, types)
    for of in types:
        _check_references(of)
    for method in methods:
        _check_request(method)
    _check_ids(methods)
    _check_places(methods)
    type_names(services, methods)


def _check_services(services: Sequence[type[Service]], types: Iterable[EntityType]) -> None:
    labels: dict[str, type[Service]] = {}
    for service in services:
        label = service.subject.label
        check_snake(f"The collection of {_path(service)}", label)
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


def _check_references(of: EntityType) -> None:
    for field in of.references:
        reference = field.get(Reference)
        if reference is not None and reference.type not in declared:
            problem = f"{of.name}.{field.name} refers to {reference.type!r}, which no service declares."
            raise DeclarationError(problem, hint=f"Declared types: {', '.join(sorted(declared))}.")


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


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def _method(method: Method) -> str:
    return f"{method.subject.title}.{method.name}"
