"""The verb that is running: its name is also the name of the events that it logs."""

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_running: ContextVar[str | None] = ContextVar("running_verb", default=None)


def running_verb() -> str:
    """Returns the name of the verb that is running; raises `TypeError` outside a verb."""
    name = _running.get()
    if name is None:
        raise TypeError("no verb is running: outside a method declared with @verb or @move, name the event's verb")
    return name


def named(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Makes a function run as the verb of its own name, without the underscore appended to a Python keyword."""
    name = function.__name__.rstrip("_")

    @functools.wraps(function)
    async def verb(*args: P.args, **kwargs: P.kwargs) -> T:
        token = _running.set(name)
        try:
            return await function(*args, **kwargs)
        finally:
            _running.reset(token)

    return verb
