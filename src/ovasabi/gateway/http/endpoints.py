"""Handles API requests: finds the method, admits the caller, reads the call and performs it."""

import asyncio
from typing import Any

from ovasabi.gateway.admission import perform, serve, watch, while_admitted
from ovasabi.gateway.http.event_stream import Stream
from ovasabi.gateway.http.failures import RequestInfo, failure
from ovasabi.gateway.http.messages import HttpRequest, HttpResponse, json_response
from ovasabi.gateway.http.requests import call_of, caller_of
from ovasabi.gateway.http.router import Router, method_of
from ovasabi.gateway.readiness import NotReady
from ovasabi.gateway.wire.paths import operation_path
from ovasabi.kernel.call.context import Context
from ovasabi.kernel.declare.methods import Call, MethodKind
from ovasabi.kernel.store.listing import Page
from ovasabi.runtime import Platform


async def respond(router: Router, platform: Platform, request: HttpRequest) -> HttpResponse | Stream:
    """Returns the response to a request; every failure becomes an error response."""
    try:
        route = router.find(request)
        if request.method == "OPTIONS":
            return HttpResponse(b"", 204, headers={"allow": route.allowed})
        method, caller = method_of(route, request), caller_of(request)

        async def work(context: Context) -> HttpResponse | Stream:
            call = await call_of(method, request, route.parameters)
            if method.operation is MethodKind.WATCH:
                messages = await watch(platform, call)
                return Stream(messages, while_admitted(platform, caller, call), context, _info(request))
            return _response(call, request, await perform(platform, call))

        return await serve(platform, caller, method, lambda: route.parameters.get("campaign"), work)
    except asyncio.CancelledError:
        if not platform.stop.has_begun:
            raise  # the client has gone
        return failure(_info(request), NotReady(problem="it is stopping"))
    except Exception as error:
        return failure(_info(request), error)


def _info(request: HttpRequest) -> RequestInfo:
    return RequestInfo(request.method, request.path, request.headers, request.correlation_id)


def _response(call: Call, request: HttpRequest, value: Any) -> HttpResponse:
    method = call.method
    if method.operation is MethodKind.LONG:
        return json_response(value, 202, {"location": operation_path(call.campaign, value.id)})
    if method.operation is MethodKind.CREATE:
        return json_response(value, 201, {"location": f"{request.path}/{value.id}"})
    if isinstance(value, Page):
        body = {method.subject.plural: value.items, "next_page_token": value.next_page_token}
        return json_response(body if value.total_size is None else body | {"total_size": value.total_size})
    return json_response(value)
