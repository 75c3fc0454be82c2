"""The operations that every entity has, as methods: what each takes and answers, and what its service adds to it."""

import inspect
from typing import Any

from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import EntityType, type_of
from ovasabi.kernel.declare.methods import Method, MethodKind
from ovasabi.kernel.declare.state_machine import AllowedMoves
from ovasabi.kernel.service.protocol import SearchAnswer, SearchRequest
from ovasabi.kernel.service.rules import HOOKS
from ovasabi.kernel.store.listing import ListRequest, Page


def operations_of(cls: Any) -> list[Method]:
    """The operations of a service of an entity, and the question for the moves that apply if it has any."""
    of: EntityType = type_of(cls.entity)
    page, answer = Page[cls.entity], SearchAnswer[cls.entity]
    standard = [
        (MethodKind.CREATE, False, of.draft, cls.entity, cls.manages),
        (MethodKind.GET, True, None, cls.entity, Role.READER),
        (MethodKind.LIST, False, ListRequest, page, Role.READER),
        (MethodKind.SEARCH, False, SearchRequest, answer, Role.READER),
        (MethodKind.UPDATE, True, of.patch, cls.entity, cls.manages),
        (MethodKind.DELETE, True, None, cls.entity, cls.manages),
        (MethodKind.RESTORE, True, None, cls.entity, cls.manages),
    ]
    operations = [
        Method(cls.subject, op.value, op, on, request, response, role, _doc(cls, op, of))
        for op, on, request, response, role in standard
        if op in cls.offers and (of.searched or op is not MethodKind.SEARCH)
    ]
    if hasattr(cls, "machine"):
        doc = inspect.getdoc(cls.allowed_moves) or ""
        kind = MethodKind.READ
        operations.append(Method(cls.subject, "allowed_moves", kind, True, None, AllowedMoves, Role.READER, doc))
    return operations


def _doc(cls: Any, operation: MethodKind, of: EntityType) -> str:
    """What an operation does, and what the service's own rules say of it."""
    function = getattr(cls, operation.value)
    text = inspect.getdoc(function) or ""
    if function.__qualname__.startswith("EntityService."):
        text = f"{of.plural.capitalize()}. {text}"
    rules = [inspect.getdoc(getattr(cls, hook)) or "" for hook in HOOKS.get(operation, ()) if hook in cls.hooks]
    if of.counter is not None and operation in (MethodKind.CREATE, MethodKind.DELETE, MethodKind.RESTORE):
        rules.append(f"The {of.counter.parent}'s {of.counter.field.name} is updated with it.")
    return "\n\n".join([text, *rules])
