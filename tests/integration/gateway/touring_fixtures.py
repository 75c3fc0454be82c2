"""One way to call both clients, which remembers what was called: answers are awaited, lists and streams collected."""

import asyncio
import importlib
import inspect
import itertools
import pkgutil
from collections.abc import AsyncIterator, Iterator
from typing import Any

import ovasabi_client.services

FIRST = 3
"""So many of a stream, which has no end, are collected."""


class Tour:
    """A client, or a part of one."""

    def __init__(self, inner: Any, called: set[tuple[str, str]]) -> None:
        self._inner, self._called = inner, called

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not inspect.ismethod(value):
            return Tour(value, self._called)
        self._called.add((value.__qualname__.split(".")[0].removeprefix("Async"), name))
        if name == "campaign":
            return lambda *arguments: Tour(value(*arguments), self._called)
        return lambda *arguments, **options: _answer(value, arguments, options)


async def _answer(function: Any, arguments: Any, options: Any) -> Any:
    if not function.__module__.endswith("_async"):
        return await asyncio.to_thread(_collected, function, arguments, options)
    answer = function(*arguments, **options)
    if not isinstance(answer, AsyncIterator):
        return await answer
    many = []
    async for one in answer:
        many.append(one)
        if function.__name__ == "watch" and len(many) == FIRST:
            break
    return many


def _collected(function: Any, arguments: Any, options: Any) -> Any:
    answer = function(*arguments, **options)
    if not isinstance(answer, Iterator):
        return answer
    return list(itertools.islice(answer, FIRST if function.__name__ == "watch" else None))


def all_functions() -> set[tuple[str, str]]:
    """Every function of the API, by class and name; both clients have the same."""
    found: set[tuple[str, str]] = set()
    folders = ["", *(f"services.{one.name}." for one in pkgutil.iter_modules(ovasabi_client.services.__path__))]
    for name in (f"ovasabi_client.{folder}{half}" for folder in folders for half in ("api", "api_async")):
        module = importlib.import_module(name)
        for cls in vars(module).values():
            if inspect.isclass(cls) and cls.__module__ == module.__name__:
                functions = [name for name, value in vars(cls).items() if inspect.isfunction(value)]
                found |= {(cls.__name__.removeprefix("Async"), name) for name in functions if name[0] != "_"}
    return found
