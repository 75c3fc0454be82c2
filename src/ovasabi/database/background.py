"""Work that goes on after the call that began it has been cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any

_running: "set[asyncio.Task[Any]]" = set()
"""The event loop itself holds tasks only weakly."""


def in_background(work: Coroutine[Any, Any, Any]) -> None:
    """Runs some work in a task that nobody waits for."""
    task = asyncio.get_running_loop().create_task(work)
    _running.add(task)
    task.add_done_callback(_ended)


def _ended(task: "asyncio.Task[Any]") -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # whoever cares handles it in the work
