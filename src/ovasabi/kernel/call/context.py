"""The context of a call (caller, campaign, deadline), held in one context variable."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context as Variables
from contextvars import ContextVar
from enum import StrEnum

import msgspec

from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError

PLATFORM = 0
"""The campaign number of the platform itself, under which global entities are registered."""
CLIENT_KEY = "client:"
"""The prefix of idempotency keys from clients, which each caller has to itself. The keys of the platform's own creates
begin differently, and mean the same for every caller."""


class Role(StrEnum):
    """What a principal may do. Each role includes the permissions of the preceding ones."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Returns whether this role grants everything that `needed` grants."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Principal(msgspec.Struct, frozen=True):
    """The caller: its name in the event log, the campaign it is confined to (0: any campaign) and its role."""

    name: str
    campaign_id: int
    role: Role


class Fence(msgspec.Struct, frozen=True):
    """The lease under which a call writes, and its fencing token."""

    name: str
    token: int


class Context(msgspec.Struct, frozen=True):
    """Everything that a call carries with it. `deadline` is a time on the event loop's clock, in seconds."""

    principal: Principal
    campaign_id: int | None = None
    deadline: float | None = None
    correlation_id: str | None = None
    causation_id: int | None = None
    fence: Fence | None = None


class NoContext(OvasabiError):
    """A call reached the kernel without a context."""

    kind = Kind.DENIED
    code = "no_context"
    message = "The call has no context, so its caller is unknown."
    hint = "Run it inside `with acting(Context(...))`."


class NoCampaign(OvasabiError):
    """A scoped call does not name a campaign. It is refused: a missing campaign never means all campaigns."""

    kind = Kind.DENIED
    code = "no_campaign"
    message = "The call does not name a campaign."
    hint = "Set the campaign in the context of the call."


class Trace(msgspec.Struct):
    """What the log tells of a request, also before its caller is admitted and after its call has failed.

    It grants nothing: only a context does.
    """

    correlation_id: str
    campaign_id: int | None = None


_current: ContextVar[Context | None] = ContextVar("ovasabi_context", default=None)
_trace: ContextVar[Trace | None] = ContextVar("ovasabi_trace", default=None)


def current() -> Context:
    """Returns the context of the current call; raises `NoContext` if there is none."""
    context = _current.get()
    if context is None:
        raise NoContext
    return context


def current_or_none() -> Context | None:
    """Returns the context of the current call, if there is one."""
    return _current.get()


def current_campaign() -> int:
    """Returns the campaign of the current call; raises `NoCampaign` if there is none."""
    campaign = current().campaign_id
    if campaign is None:
        raise NoCampaign
    return campaign


@contextmanager
def acting(context: Context) -> Iterator[Context]:
    """Runs a block in the given context."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


@contextmanager
def in_campaign(campaign_id: int) -> Iterator[Context]:
    """Runs a block for one campaign. A principal confined to another campaign is refused."""
    context = current()
    confined = context.principal.campaign_id
    if confined not in (PLATFORM, campaign_id):
        raise NoCampaign
    with acting(msgspec.structs.replace(context, campaign_id=campaign_id)) as inner:
        yield inner


@contextmanager
def on_platform(reason: str) -> Iterator[Context]:
    """Runs a block on the platform's own rows, for a stated reason: the only way to leave a campaign's scope."""
    if not reason:
        raise NoCampaign(hint="Give the reason for leaving the campaign.")
    with acting(msgspec.structs.replace(current(), campaign_id=PLATFORM)) as inner:
        yield inner


def system_context(name: str, campaign_id: int | None = None) -> Context:
    """Returns a context for the platform's own work (startup, background tasks, command line)."""
    principal = Principal(name=f"system:{name}", campaign_id=PLATFORM, role=Role.ADMIN)
    return Context(principal=principal, campaign_id=campaign_id, correlation_id=new_correlation_id())


def trace(correlation_id: str) -> None:
    """Lets the log name this correlation id for the rest of the task, which is that of one request."""
    _trace.set(Trace(correlation_id))


def note_campaign(campaign_id: int) -> None:
    """Lets the log name the campaign of the request, too."""
    if (request := _trace.get()) is not None:
        request.campaign_id = campaign_id


def traced() -> tuple[str | None, int | None]:
    """Returns the correlation id and the campaign of whatever runs: those of its context, or else of its request."""
    for source in (_current.get(), _trace.get()):
        if source is not None and source.correlation_id is not None:
            return source.correlation_id, source.campaign_id
    return None, None


def nobodys_context() -> Variables:
    """Returns context variables for work shared by many callers. They name no campaign, so none can leak into it."""
    variables = Variables()
    variables.run(_current.set, system_context("batcher"))
    return variables


def new_correlation_id() -> str:
    """Returns a random correlation id of 22 characters."""
    return secrets.token_urlsafe(16)


def deadline() -> float | None:
    """Returns the deadline of the current call on the event loop's clock, in seconds; None if it has none."""
    context = _current.get()
    return context.deadline if context is not None else None


def remaining() -> float | None:
    """Returns the seconds until the deadline of the current call; None if it has none.

    Raises `DeadlineExceeded` if the deadline has passed.
    """
    if (end := deadline()) is None:
        return None
    left = end - asyncio.get_running_loop().time()
    if left <= 0:
        raise DeadlineExceeded
    return left
