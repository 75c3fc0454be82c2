"""The operations that every entity has, as methods with their requests, responses and documentation."""

import inspect
from typing import Any

from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import EntityType, type_of
from ovasabi.kernel.declare.methods import Method, MethodKind
from ovasabi.kernel.declare.state_machine import ALLOWED_MOVES, AllowedMoves
from ovasabi.kernel.service.protocol import SearchRequest, SearchResponse
from ovasabi.kernel.service.rules import HOOKS
from ovasabi.kernel.store.listing import ListRequest, Page

_DOCS = {
    MethodKind.CREATE: "Creates a new {singular}.",
    MethodKind.GET: "Returns the {singular} with the given id or uuid; with `as_of`, as it was at that time.",
    MethodKind.LIST: "Returns a page of {plural}, by default the newest first.",
    MethodKind.SEARCH: "Searches the text of {plural}. The best matches come first.",
    MethodKind.UPDATE: "Changes the given fields of the {singular}; metadata is merged.",
    MethodKind.DELETE: "Deletes the {singular}, which can then be restored.",
    MethodKind.RESTORE: "Restores the deleted {singular}.",
}
"""What each operation does; the service's own rules are added to it."""


def operations_of(cls: Any) -> list[Method]:
    """Returns the operations of a service of an entity, and `allowed_moves` if it has moves."""
    of: EntityType = type_of(cls.entity)
    page, matches = Page[cls.entity], SearchResponse[cls.entity]
    standard = [
        (MethodKind.CREATE, False, of.draft, cls.entity, cls.manages),
        (MethodKind.GET, True, None, cls.entity, Role.READER),
        (MethodKind.LIST, False, ListRequest, page, Role.READER),
        (MethodKind.SEARCH, False, SearchRequest, matches, Role.READER),
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
        operations.append(Method(cls.subject, ALLOWED_MOVES, kind, True, None, AllowedMoves, Role.READER, doc))
    return operations


def _doc(cls: Any, operation: MethodKind, of: EntityType) -> str:
    """Returns the documentation of an operation: what it does, and the service's own rules for it."""
    text = _DOCS[operation]
    if operation is MethodKind.DELETE and MethodKind.RESTORE not in cls.offers:
        text = "Deletes the {singular}; it cannot be restored."
    text = text.format(singular=_words(of.name), plural=_words(of.plural))
    rules = [inspect.getdoc(getattr(cls, hook)) or "" for hook in HOOKS.get(operation, ()) if hook in cls.hooks]
    if of.counter is not None and operation in (MethodKind.CREATE, MethodKind.DELETE, MethodKind.RESTORE):
        rules.append(f"Also updates the {_words(of.counter.parent)}'s {of.counter.field.name}.")
    return "\n\n".join([text, *rules])


def _words(name: str) -> str:
    return name.replace("_", " ")
