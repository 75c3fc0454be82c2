"""Admits and performs calls from every protocol: authenticates the caller, checks permissions, calls the service."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from ovasabi.database.deadlines import ending_at
from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError, such_as
from ovasabi.gateway.outcomes import counted
from ovasabi.kernel.batching.concurrency import ALL
from ovasabi.kernel.call.context import (
    PLATFORM,
    Context,
    Principal,
    acting,
    current_campaign,
    note_campaign,
    on_platform,
)
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.declare.ids import MAX_ID
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, Resource, Watched
from ovasabi.kernel.events.log import has_event
from ovasabi.kernel.search.registry import EntityRegistry
from ovasabi.kernel.service import Served, ServiceRegistry
from ovasabi.runtime import Platform
from ovasabi.security import peers
from ovasabi.security.keys import Unauthenticated
from ovasabi.system.campaign.directory import forget, number_of

T = TypeVar("T")
RECHECK_SECONDS = 5.0
"""How often the caller of a stream of messages is admitted again."""
UNCHECKED_SECONDS = 60.0
"""How long a stream outlives a database that cannot tell whether its caller is still admitted."""


class Forbidden(OvasabiError):
    """The API key is valid, but does not permit this call."""

    kind = Kind.DENIED
    code = "forbidden"
    message = "This API key does not permit the call: {reason}."
    hint = "Use a key for the right campaign with the right role; see `ovasabi keys create --help`."
    example = such_as(reason="the role writer is required, but the key has the role reader")


class NotHere(OvasabiError):
    """Another process of the platform sent a call to this process, but the service does not run here."""

    kind = Kind.UNAVAILABLE
    code = "not_here"
    message = "The service {service} does not run in the process that received the call."
    hint = "OVASABI_PEERS of the calling process must match OVASABI_SERVICES of the process that is called."
    example = such_as(service="content")


class CausationUnknown(OvasabiError):
    """The event that a caller names as the cause of its call is not one of the campaign, or of the platform."""

    kind = Kind.INVALID
    code = "causation_unknown"
    message = "The event log has no event {id} that could be the cause of this call."
    hint = "Send the id of an event of the same campaign, as its event feed shows it, or no X-Causation-Id."
    example = such_as(id=894287241216001, field="X-Causation-Id")


class Caller(msgspec.Struct, frozen=True):
    """The caller of a call: its credentials, the ids to trace it by, and its timeout in seconds.

    `may_be_peer` says that it came in over gRPC, by which alone other processes of the platform call.
    """

    authorization: str
    correlation_id: str
    causation_id: int | None = None
    timeout: float | None = None
    may_be_peer: bool = False


async def serve(
    platform: Platform,
    caller: Caller,
    method: Method,
    campaign: Callable[[], str | None],
    work: Callable[[Context], Awaitable[T]],
) -> T:
    """Runs the work of a call in its context, if the call is admitted.

    `campaign` returns the campaign that the call names, None for the platform; it is called once the caller is known,
    so that nothing is decoded for a stranger.
    The caller's deadline limits all of it, including the look-up of its key; once it has passed, no work begins.
    """
    began = time.monotonic()
    deadline = _deadline(platform, caller.timeout)
    admitted = _admitted(platform, caller, method, campaign, began, deadline, work)
    limited = admitted if deadline is None else ending_at(deadline, admitted)
    return await counted(platform.outcomes, "grpc" if caller.may_be_peer else "http", method, limited)


async def _admitted(
    platform: Platform,
    caller: Caller,
    method: Method,
    campaign: Callable[[], str | None],
    began: float,
    deadline: float | None,
    work: Callable[[Context], Awaitable[T]],
) -> T:
    principal = await _principal(platform, caller, method)
    calls = platform.calls
    calls.enter(ALL, principal.name)
    try:
        number = await _scope(platform, caller, principal, method, campaign())
        note_campaign(number)
        calls.enter(number)
        try:
            # The event loop's clock, which ends waits, is too coarse for this.
            if caller.timeout is not None and time.monotonic() - began >= caller.timeout:
                raise DeadlineExceeded
            with acting(Context(principal, number, deadline, caller.correlation_id, caller.causation_id)) as context:
                if caller.causation_id is not None:
                    await _check_cause(platform, caller, context)
                return await work(context)
        finally:
            calls.leave(number)
    finally:
        calls.leave(ALL, principal.name)


async def _scope(platform: Platform, caller: Caller, principal: Principal, method: Method, campaign: str | None) -> int:
    """Authorizes a call, and returns the number of its campaign."""
    folder = method.subject.folder
    if _scheme(caller.authorization) == peers.SCHEME and folder not in platform.peers.local:
        raise NotHere(service=folder)
    if not principal.role.covers(method.role):
        needed, actual = method.role.value, principal.role.value
        raise Forbidden(reason=f"the role {needed} is required, but the key has the role {actual}")
    if campaign is not None:
        return await _campaign(platform, principal, campaign, method)
    if principal.campaign_id != PLATFORM:
        raise Forbidden(reason="it applies to the platform, but the key is limited to a campaign")
    return PLATFORM


async def _check_cause(platform: Platform, caller: Caller, context: Context) -> None:
    """Refuses an event of another campaign as the cause of a call, as if it did not exist.

    A caller of the whole platform may also name an event of the platform. What another process passes on, it checked.
    """
    id = context.causation_id
    if _scheme(caller.authorization) == peers.SCHEME or id is None:
        return
    if id <= MAX_ID:
        if await has_event((await platform.shards.of(current_campaign())).database, id):
            return
        if context.principal.campaign_id == PLATFORM:
            with on_platform("an event of the platform may be the cause of a call in a campaign"):
                if await has_event(platform.database, id):
                    return
    raise CausationUnknown(id=id, field="X-Causation-Id")


async def perform(platform: Platform, call: Call) -> Any:
    """Performs an admitted call in its context, and returns its result."""
    registry = await platform.shards.of(current_campaign())
    result = await _service(registry, call).run(await _targeted(registry, call))
    if call.method.resource is Resource.ITSELF and call.method.writes:
        forget(platform.database, current_campaign())  # the service may run elsewhere, and clear only its own cache
    return result


async def watch(platform: Platform, call: Call) -> AsyncGenerator[Watched, None]:
    """Starts an admitted call of a streaming method, and returns its stream of messages; see `while_admitted`."""
    registry = await platform.shards.of(current_campaign())
    return await _service(registry, call).stream(await _targeted(registry, call))


@asynccontextmanager
async def while_admitted(platform: Platform, caller: Caller, call: Call) -> AsyncIterator[None]:
    """Runs the block of a stream until its caller is no longer admitted; raises the error that a new call would get.

    This does not wait for a message, nor for a client that does not read.
    """
    if _scheme(caller.authorization) == peers.SCHEME:
        yield  # the process that vouched for the caller checks it, and ends its own stream
        return
    refusals: list[OvasabiError] = []
    try:
        async with asyncio.timeout(None) as limit:

            async def check() -> None:
                refusals.append(await _refusal(platform, caller, call))
                limit.reschedule(asyncio.get_running_loop().time())

            checking = asyncio.create_task(check())
            try:
                yield
            finally:
                checking.cancel()
    except TimeoutError:
        if not refusals:
            raise
        raise refusals[0] from None


async def _refusal(platform: Platform, caller: Caller, call: Call) -> OvasabiError:
    """Admits the caller again every few seconds, and returns the first error that says that it no longer is."""
    now = asyncio.get_running_loop().time
    checked = now()
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        try:
            principal = await _principal(platform, caller, call.method)
            await _scope(platform, caller, principal, call.method, call.campaign)
            checked = now()
        except OvasabiError as error:
            if not error.kind.transient or now() > checked + UNCHECKED_SECONDS:
                return error


def _service(registry: ServiceRegistry, call: Call) -> Served:
    return registry.services[call.method.subject.label]


async def _targeted(registry: ServiceRegistry, call: Call) -> Call:
    """Returns the call; a call on the campaign itself gets its id, that of the only campaign visible in its scope."""
    if call.method.resource is not Resource.ITSELF:
        return call
    page = await EntityRegistry(registry.database).list(type="campaign", page_size=1, deleted=True)
    if not page.records:  # its server was restored a moment ago, and the directory is not settled yet
        raise EntityNotFound(type="campaign", reference=current_campaign())
    return msgspec.structs.replace(call, target=str(page.records[0].id))


def _scheme(authorization: str) -> str:
    """Returns the authentication scheme in lower case, since schemes are not case-sensitive."""
    return authorization.partition(" ")[0].lower()


async def _principal(platform: Platform, caller: Caller, method: Method) -> Principal:
    """Returns the principal of the API key, or the one that another process of the platform vouches for.

    That one's key must not have been revoked either.
    """
    credentials = caller.authorization.partition(" ")[2]
    match _scheme(caller.authorization):
        case "bearer" if credentials:
            return await platform.keyring.principal(credentials.strip())
        case peers.SCHEME if caller.may_be_peer:
            principal = platform.peers.vouched(credentials, method.subject.folder, method.id)
            await platform.keyring.check_standing(principal.name)
            return principal
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
        # The same error whether the other campaign exists or not.
        raise Forbidden(reason="the key is limited to another campaign")
    return number


def _deadline(platform: Platform, timeout: float | None) -> float | None:
    if timeout is None:
        return None
    return asyncio.get_running_loop().time() + min(timeout, platform.settings.request_timeout_seconds)
