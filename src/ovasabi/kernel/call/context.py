"""The context of a call: who calls, for which campaign, until when; carried in one context variable."""

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


class Role(StrEnum):
    """What a principal may do; each role includes the ones before it."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role is enough where another is needed."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Principal(msgspec.Struct, frozen=True):
    """Who calls: a name for the event log, the campaign that it is confined to (0: none), and its role."""

    name: str
    campaign_id: int
    role: Role


class Fence(msgspec.Struct, frozen=True):
    """The lease under which a call writes."""

    name: str
    token: int


class Context(msgspec.Struct, frozen=True):
    """All that a call carries with it. `deadline` is in seconds of the event loop's clock."""

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
    message = "The call has no context: nobody is known to be calling."
    hint = "Run it inside `with acting(Context(...))`."


class NoCampaign(OvasabiError):
    """A scoped call came without a campaign. It is refused; it never means «all campaigns»."""

    kind = Kind.DENIED
    code = "no_campaign"
    message = "The call names no campaign."
    hint = "Set the campaign in the context of the call."


_current: ContextVar[Context | None] = ContextVar("ovasabi_context", default=None)


def current() -> Context:
    """The context of the running call; an error if there is none."""
    context = _current.get()
    if context is None:
        raise NoContext
    return context


def current_or_none() -> Context | None:
    """The context of the running call, if there is one."""
    return _current.get()


def current_campaign() -> int:
    """The campaign of the running call; an error if there is none."""
    campaign = current().campaign_id
    if campaign is None:
        raise NoCampaign
    return campaign


@contextmanager
def acting(context: Context) -> Iterator[Context]:
    """Runs a block in a context of its own."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


@contextmanager
def in_campaign(campaign_id: int) -> Iterator[Context]:
    """Runs a block for one campaign; a principal confined to another one is refused."""
    context = current()
    confined = context.principal.campaign_id
    if confined not in (PLATFORM, campaign_id):
        raise NoCampaign
    with acting(msgspec.structs.replace(context, campaign_id=campaign_id)) as inner:
        yield inner


@contextmanager
def on_platform(reason: str) -> Iterator[Context]:
    """Leaves the campaign for the platform's own rows, for a stated reason. The one way out of a campaign's scope."""
    if not reason:
        raise NoCampaign(hint="Say why the campaign is left.")
    with acting(msgspec.structs.replace(current(), campaign_id=PLATFORM)) as inner:
        yield inner


def system_context(name: str, campaign_id: int | None = None) -> Context:
    """A context for the platform's own work (start, background, command line)."""
    principal = Principal(name=f"system:{name}", campaign_id=PLATFORM, role=Role.ADMIN)
    return Context(principal=principal, campaign_id=campaign_id, correlation_id=new_correlation_id())


def nobodys_context() -> Variables:
    """Context variables for work that is done for many callers at once: it has no campaign, so it can take nobody's."""
    variables = Variables()
    variables.run(_current.set, system_context("lane"))
    return variables


def new_correlation_id() -> str:
    """A random correlation id of 22 characters."""
    return secrets.token_urlsafe(16)


def deadline() -> float | None:
    """When the running call has to end, in seconds of the event loop's clock; None if it may take its time."""
    context = _current.get()
    return context.deadline if context is not None else None


def remaining() -> float | None:
    """Seconds until the deadline of the running call; None if it has none, an error if it has passed."""
    if (end := deadline()) is None:
        return None
    left = end - asyncio.get_running_loop().time()
    if left <= 0:
        raise DeadlineExceeded
    return left
