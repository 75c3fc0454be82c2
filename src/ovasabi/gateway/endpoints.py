"""Answering an HTTP request of the API: its method is found, the caller admitted, the call read and performed."""

from typing import Any

from ovasabi.gateway.calls import admitted, attend, perform
from ovasabi.gateway.failures import Asked, failure
from ovasabi.gateway.http import Answer, Http, answer
from ovasabi.gateway.paths import operation_path
from ovasabi.gateway.requests import call_of, caller_of
from ovasabi.gateway.router import Router, method_of
from ovasabi.gateway.streams import Stream
from ovasabi.kernel.context import acting
from ovasabi.kernel.listing import Page
from ovasabi.kernel.methods import Call, Operation
from ovasabi.runtime import Platform


async def respond(router: Router, platform: Platform, request: Http) -> Answer | Stream:
    """The answer to a request; whatever goes wrong is answered as well."""
    try:
        found = router.find(request)
        if request.method == "OPTIONS":
            return Answer(b"", 204, headers={"allow": found.allowed})
        method = method_of(found, request)
        context = await admitted(platform, caller_of(request), method, found.parameters.get("campaign"))
        with acting(context):
            call = await call_of(method, request, found.parameters)
            if method.operation is Operation.WATCH:
                return Stream(await attend(platform, call), context, _asked(request))
            return _answer(call, request, await perform(platform, call))
    except Exception as error:
        return failure(_asked(request), error)


def _asked(request: Http) -> Asked:
    return Asked(request.method, request.path, request.headers, request.correlation_id)


def _answer(call: Call, request: Http, value: Any) -> Answer:
    method = call.method
    if method.operation is Operation.LONG:
        return answer(value, 202, {"location": operation_path(call.campaign, value.id)})
    if method.operation is Operation.CREATE:
        return answer(value, 201, {"location": f"{request.path}/{value.id}"})
    if isinstance(value, Page):
        body = {method.subject.plural: value.items, "next_page_token": value.next_page_token}
        return answer(body if value.total_size is None else body | {"total_size": value.total_size})
    return answer(value)
