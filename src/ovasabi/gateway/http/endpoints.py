"""Answering an HTTP request of the API: its method is found, the caller admitted, the call read and performed."""

from typing import Any

from ovasabi.gateway.admission import admitted, attend, perform
from ovasabi.gateway.http.event_stream import Stream
from ovasabi.gateway.http.failures import Asked, failure
from ovasabi.gateway.http.messages import HttpRequest, HttpResponse, answer
from ovasabi.gateway.http.requests import call_of, caller_of
from ovasabi.gateway.http.router import Router, method_of
from ovasabi.gateway.wire.paths import operation_path
from ovasabi.kernel.call.context import acting
from ovasabi.kernel.declare.methods import Call, MethodKind
from ovasabi.kernel.store.listing import Page
from ovasabi.runtime import Platform


async def respond(router: Router, platform: Platform, request: HttpRequest) -> HttpResponse | Stream:
    """The answer to a request; whatever goes wrong is answered as well."""
    try:
        found = router.find(request)
        if request.method == "OPTIONS":
            return HttpResponse(b"", 204, headers={"allow": found.allowed})
        method = method_of(found, request)
        context = await admitted(platform, caller_of(request), method, found.parameters.get("campaign"))
        with acting(context):
            call = await call_of(method, request, found.parameters)
            if method.operation is MethodKind.WATCH:
                return Stream(await attend(platform, call), context, _asked(request))
            return _answer(call, request, await perform(platform, call))
    except Exception as error:
        return failure(_asked(request), error)


def _asked(request: HttpRequest) -> Asked:
    return Asked(request.method, request.path, request.headers, request.correlation_id)


def _answer(call: Call, request: HttpRequest, value: Any) -> HttpResponse:
    method = call.method
    if method.operation is MethodKind.LONG:
        return answer(value, 202, {"location": operation_path(call.campaign, value.id)})
    if method.operation is MethodKind.CREATE:
        return answer(value, 201, {"location": f"{request.path}/{value.id}"})
    if isinstance(value, Page):
        body = {method.subject.plural: value.items, "next_page_token": value.next_page_token}
        return answer(body if value.total_size is None else body | {"total_size": value.total_size})
    return answer(value)
