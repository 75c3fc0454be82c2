"""Performing a call, whichever door it came through: who calls, and whether they may; then the service answers."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.context import PLATFORM, Context, Principal, current_campaign
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, Resource, Watched
from ovasabi.kernel.service import Served
from ovasabi.kernel.store.registry import EntityRegistry
from ovasabi.runtime import Platform
from ovasabi.security import peers
from ovasabi.security.keys import Unauthenticated
from ovasabi.system.campaign.directory import forget, number_of


class Forbidden(OvasabiError):
    """The key is valid, but not for this."""

    kind = Kind.DENIED
    code = "forbidden"
    message = "This key may not do that: {reason}."
    hint = "Use a key of the right campaign and role; see `ovasabi keys create --help`."
    example = such_as(reason="it needs the role writer, and the key has reader")


class NotHere(OvasabiError):
    """Another process of the platform asks this one for a service that does not run here either."""

    kind = Kind.UNAVAILABLE
    code = "not_here"
    message = "The service {service} does not run in the process that was asked for it."
    hint = "OVASABI_PEERS of the asking process and OVASABI_SERVICES of the asked one must agree."
    example = such_as(service="content")


class Caller(msgspec.Struct, frozen=True):
    """What a door knows of who calls: the Authorization, ids to follow it by, and seconds until it is given up."""

    authorization: str
    correlation_id: str
    causation_id: int | None = None
    timeout: float | None = None


async def admitted(platform: Platform, caller: Caller, method: Method, campaign: str | None) -> Context:
    """The context of a call: authenticated, allowed, and confined to its campaign (none: the platform)."""
    principal = await _principal(platform, caller.authorization)
    folder = method.subject.folder
    if _scheme(caller.authorization) == peers.SCHEME and folder not in platform.peers.local:
        raise NotHere(service=folder)
    if not principal.role.covers(method.role):
        raise Forbidden(reason=f"it needs the role {method.role.value}, and the key has {principal.role.value}")
    number = PLATFORM
    if campaign is not None:
        number = await _campaign(platform, principal, campaign, method)
    elif principal.campaign_id != PLATFORM:
        raise Forbidden(reason="it is of the platform, and the key is confined to a campaign")
    return Context(
        principal=principal,
        campaign_id=number,
        deadline=_deadline(platform, caller.timeout),
        correlation_id=caller.correlation_id,
        causation_id=caller.causation_id,
    )


async def perform(platform: Platform, call: Call) -> Any:
    """The answer to a call, in the context in which it was admitted."""
    answer = await _service(platform, call).run(await _targeted(platform, call))
    if call.method.resource is Resource.ITSELF and call.method.writes:
        forget(platform.database, current_campaign())  # the service may run elsewhere, and have forgotten it there
    return answer


async def attend(platform: Platform, call: Call) -> AsyncGenerator[Watched, None]:
    """The answers to a call that goes on answering."""
    return await _service(platform, call).stream(await _targeted(platform, call))


def _service(platform: Platform, call: Call) -> Served:
    return platform.registry.services[call.method.subject.label]


async def _targeted(platform: Platform, call: Call) -> Call:
    """The call; of the campaign itself, with its id: that of the only one of its type that its own scope shows."""
    if call.method.resource is not Resource.ITSELF:
        return call
    page = await EntityRegistry(platform.database).list(type="campaign", page_size=1, deleted=True)
    return msgspec.structs.replace(call, target=str(page.records[0].id))


def _scheme(authorization: str) -> str:
    """How a caller proves who it is; its case says nothing."""
    return authorization.partition(" ")[0].lower()


async def _principal(platform: Platform, authorization: str) -> Principal:
    """The principal of the key, or whom another process of the platform vouches for; nobody else has access to data."""
    proof = authorization.partition(" ")[2]
    match _scheme(authorization):
        case "bearer" if proof:
            return await platform.keyring.principal(proof.strip())
        case peers.SCHEME:
            return platform.peers.vouched(proof)
    raise Unauthenticated


async def _campaign(platform: Platform, principal: Principal, campaign: str, method: Method) -> int:
    deleted = method.resource is Resource.ITSELF and method.operation is MethodKind.RESTORE
    try:
        number = await number_of(platform.database, campaign, deleted=deleted)
    except OvasabiError:
        if principal.campaign_id == PLATFORM:
            raise
        number = -1
    if principal.campaign_id not in (PLATFORM, number):
        # The same answer whether the other campaign exists or not.
        raise Forbidden(reason="it is confined to another campaign")
    return number


def _deadline(platform: Platform, timeout: float | None) -> float | None:
    if timeout is None:
        return None
    return asyncio.get_running_loop().time() + min(timeout, platform.settings.request_timeout_seconds)
