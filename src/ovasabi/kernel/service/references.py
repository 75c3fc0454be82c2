"""References between entity types: each leads to a type that exists, in reach, and that can be created first."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.declare.fields import Reference


def check_references(types: Iterable[EntityType]) -> None:
    """Raises `DeclarationError` for the first reference that no entity could ever have."""
    required: dict[str, set[str]] = {}
    for of in types:
        for field in of.references:
            reference = field.get(Reference)
            if reference is None:
                continue
            path = f"{of.name}.{field.name}"
            if reference.type not in declared:
                problem = f"{path} refers to {reference.type!r}, which no service declares."
                raise DeclarationError(problem, hint=f"Declared types: {', '.join(sorted(declared))}.")
            if of.scope is Scope.GLOBAL and declared[reference.type].scope is not Scope.GLOBAL:
                problem = f"{path} refers from the platform to {reference.type}, which belongs to a campaign."
                raise DeclarationError(problem, hint="Refer to a type with Scope.GLOBAL, or from the other side.")
            if field.required:
                required.setdefault(of.name, set()).add(reference.type)
    _check_order(required)


def check_namespaces(types: Iterable[EntityType]) -> None:
    """Raises `DeclarationError` for a field derived from a namespace of metadata that belongs to another service."""
    services = {of.service for of in declared.values()}
    for of in types:
        for name, path in of.derived:
            if path[0] == "service_specific" and path[1:2] and path[1] in services - {of.service}:
                problem = (
                    f"{of.name}.{name} is derived from the namespace of the service {path[1]}, which {of.name} lacks."
                )
                raise DeclarationError(problem, hint=f"Use service_specific.{of.service}.")


def _check_order(required: dict[str, set[str]]) -> None:
    """Refuses types that require each other, so that none of them could be created first."""
    try:
        TopologicalSorter(required).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        problem = f"None of these types could be created first, because each requires another: {circle}."
        raise DeclarationError(problem, hint="Make one of the references nullable, with the default null.") from None
