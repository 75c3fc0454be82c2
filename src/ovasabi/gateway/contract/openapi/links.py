"""The links of the OpenAPI document: from a response to the operations that can be called next."""

from typing import Any

from ovasabi.gateway.contract.openapi.schemas import is_page
from ovasabi.gateway.wire.paths import addresses_of
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.methods import OPERATION, Method, MethodKind, Resource

_BODY = "$response.body#/"
_RETURNS_ENTITY = frozenset({MethodKind.CREATE, MethodKind.UPDATE, MethodKind.RESTORE, MethodKind.VERB})


def operation_id(method: Method, address: str) -> str:
    """Returns the operation id of a method at one of its addresses."""
    on_platform = method.resource is Resource.EITHER and "{campaign}" not in address
    return f"platform_{method.id}" if on_platform else method.id


class Links:
    """The links between the operations of some methods."""

    def __init__(self, methods: list[Method]) -> None:
        self._on_entity: dict[str, list[Method]] = {}
        for method in methods:
            if method.on_entity:
                self._on_entity.setdefault(method.subject.label, []).append(method)

    def of(self, method: Method, address: str) -> dict[str, Any]:
        """Returns the links of a method's response at an address, by name."""
        own = self._on_entity.get(method.subject.label, [])
        if method.operation is MethodKind.LONG:
            return _links(self._on_entity[declared[OPERATION].plural], address, "id", "slug")
        if method.operation is MethodKind.DELETE:
            return _links([other for other in own if other.operation is MethodKind.RESTORE], address, "id", "slug")
        if method.operation in _RETURNS_ENTITY and method.response is method.subject.entity:
            return _links([other for other in own if other is not method], address, "id", "slug")
        if method.operation is MethodKind.LIST:
            first = f"{method.subject.plural}/0/"
            gets = [other for other in own if other.operation is MethodKind.GET]
            return _links(gets, address, f"{first}id", f"{first}slug") | _next(method, address)
        return {}


def _links(targets: list[Method], address: str, id: str, slug: str) -> dict[str, Any]:
    """Returns links to methods of the entity in a response. In addresses, a campaign is identified by its slug."""
    links: dict[str, Any] = {}
    for target in targets:
        found = [other for other in addresses_of(target) if ("{campaign}" in other) == ("{campaign}" in address)]
        to = found[0] if found else addresses_of(target)[0]
        itself = target.resource is Resource.ITSELF
        parameters = {"campaign": f"{_BODY}{slug}"} if itself else {"id": f"{_BODY}{id}"}
        if not itself and "{campaign}" in to:
            parameters["campaign"] = "$request.path.campaign"
        name = operation_id(target, to)
        links[name] = {"operationId": name, "parameters": parameters}
    return links


def _next(method: Method, address: str) -> dict[str, Any]:
    """Returns the link to the next page, or to the continuation of the log."""
    parameter, value = ("page_token", "next_page_token")
    if not is_page(method) and method.request is not None and "after" in method.request.__struct_fields__:
        parameter, value = ("after", "next_cursor")
    parameters = {parameter: f"{_BODY}{value}"}
    if "{campaign}" in address:
        parameters["campaign"] = "$request.path.campaign"
    return {"next_page": {"operationId": operation_id(method, address), "parameters": parameters}}
