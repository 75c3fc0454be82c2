"""Routes, made from the methods that services declare; no service has routes of its own."""

from collections import defaultdict
from typing import Any

from ovasabi.gateway.http import Answer, Endpoint, Http, answer
from ovasabi.gateway.problems import BadRequest, NoRoute
from ovasabi.gateway.requests import (
    context_of,
    decode_body,
    decode_query,
    expected_version,
    given,
    idempotency_key,
    moment,
    query_values,
)
from ovasabi.gateway.router import Route
from ovasabi.kernel.context import acting
from ovasabi.kernel.entity import Scope
from ovasabi.kernel.listing import ListRequest
from ovasabi.kernel.master import MasterRepository
from ovasabi.kernel.service import Method, Operation, Service
from ovasabi.runtime import Platform

VERBS = {
    Operation.CREATE: "POST",
    Operation.GET: "GET",
    Operation.LIST: "GET",
    Operation.SEARCH: "GET",
    Operation.UPDATE: "PATCH",
    Operation.DELETE: "DELETE",
    Operation.RESTORE: "POST",
    Operation.VERB: "POST",
}
SCOPED = "/v1/campaigns/{campaign}"


def collection_path(method: Method) -> str:
    """Where the entities of a type are found."""
    prefix = SCOPED if method.of.scope is Scope.CAMPAIGN else "/v1"
    return f"{prefix}/{method.of.plural}"


def method_path(method: Method) -> str:
    """The path of a method in AIP's form, such as /v1/campaigns/{campaign}/contents/{id}:publish."""
    path = collection_path(method)
    if method.on_entity:
        path += "/{campaign}" if method.of.scope is Scope.ROOT else "/{id}"
    return (
        f"{path}:{method.name}" if method.operation in (Operation.SEARCH, Operation.RESTORE, Operation.VERB) else path
    )


class EntityRoutes:
    """The HTTP face of one service."""

    def __init__(self, methods: list[Method]) -> None:
        self.methods = {(VERBS[m.operation], m.on_entity, self._suffix(m)): m for m in methods}
        self.of = methods[0].of
        self.path = collection_path(methods[0])

    def routes(self) -> list[Route]:
        """The collection, its own verbs, and one entity with its verbs."""
        suffixes = sorted({suffix for _, on_entity, suffix in self.methods if not on_entity})
        paths = [(self.path + (f":{suffix}" if suffix else ""), False, suffix) for suffix in suffixes]
        routes = [Route(path, self._endpoint(on, suffix), self._verbs(on, suffix)) for path, on, suffix in paths]
        if self.of.scope is not Scope.ROOT:
            routes.append(Route(f"{self.path}/{{target}}", self.entity, self._verbs(True, None)))
        return routes

    async def entity(self, request: Http, platform: Platform) -> Answer:
        """One entity, or a verb of it: the target is `id`, `uuid` or either with `:verb`."""
        target = str(request.path_params["target"])
        reference, _, suffix = target.partition(":")
        return await self.run(request, platform, True, suffix, reference)

    async def run(
        self, request: Http, platform: Platform, on_entity: bool, suffix: str, reference: str | None
    ) -> Answer:
        """Finds the method, then: context, request, service, answer."""
        method = self.methods.get((request.verb, on_entity, suffix))
        if method is None:
            raise NoRoute(method=request.method, path=request.path)
        root = self.of.scope is Scope.ROOT
        campaign = reference if root and on_entity else request.path_params.get("campaign")
        deleted = root and method.operation is Operation.RESTORE
        with acting(await context_of(platform, request, campaign, method.role, deleted=deleted)):
            service = platform.registry.named(self.of.name)
            if root and on_entity:
                reference = str(await _root_id(platform))
            return await perform(method, service, request, reference)

    def _endpoint(self, on_entity: bool, suffix: str) -> Endpoint:
        async def endpoint(request: Http, platform: Platform) -> Answer:
            return await self.run(request, platform, on_entity, suffix, None)

        return endpoint

    def _verbs(self, on_entity: bool, suffix: str | None) -> list[str]:
        return sorted({v for v, on, s in self.methods if on is on_entity and (suffix is None or s == suffix)})

    @staticmethod
    def _suffix(method: Method) -> str:
        return method.name if method.operation in (Operation.SEARCH, Operation.RESTORE, Operation.VERB) else ""


async def perform(method: Method, service: Service[Any], request: Http, reference: str | None) -> Answer:
    """Runs a method with what the request holds, and answers."""
    match method.operation:
        case Operation.CREATE:
            values = given(decode_body(await request.body(), method.request))
            entity = await service.create(values, key=idempotency_key(request))
            return answer(entity, 201, {"location": f"{request.path}/{entity.id}"})
        case Operation.GET:
            at = moment(query_values(request, ("as_of",)), "as_of")
            return answer(await service.get(str(reference), as_of=at))
        case Operation.LIST:
            page = await service.list(decode_query(request, ListRequest))
            body = {method.of.plural: page.items, "next_page_token": page.next_page_token}
            return answer(body if page.total_size is None else body | {"total_size": page.total_size})
        case Operation.SEARCH:
            return answer(await service.search(decode_query(request, method.request)))
        case Operation.UPDATE:
            values = given(decode_body(await request.body(), method.request))
            return answer(await service.update(str(reference), values, expected_version=expected_version(request)))
        case Operation.DELETE:
            return answer(await service.delete(str(reference), expected_version=expected_version(request)))
        case Operation.RESTORE:
            return answer(await service.restore(str(reference)))
    body = await _verb_body(method, request)
    return answer(await service.call(method, reference, body, expected_version(request)))


def entity_routes(methods: list[Method]) -> dict[str, EntityRoutes]:
    """The routes of each entity type."""
    grouped: dict[str, list[Method]] = defaultdict(list)
    for method in methods:
        grouped[method.of.name].append(method)
    return {name: EntityRoutes(group) for name, group in grouped.items()}


async def _verb_body(method: Method, request: Http) -> Any:
    body = await request.body()
    if method.request is None:
        if body.strip() not in (b"", b"{}"):
            raise BadRequest(problem=f"{method.name} takes no body.")
        return None
    return decode_body(body, method.request)


async def _root_id(platform: Platform) -> int:
    """The registry id of the context's campaign: the only one of its type that its own scope shows."""
    page = await MasterRepository(platform.database).list(type="campaign", page_size=1, deleted=True)
    return page.records[0].id
