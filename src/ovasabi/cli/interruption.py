"""Interruptions of commands by Ctrl-C and SIGTERM: the work ends and cleans up, then the command says what is true."""

import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from ovasabi.cli.telling import saying
from ovasabi.errors import OvasabiError

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A signal interrupted the command; `told` says what became of its work. The exit code is that of shells."""

    def __init__(self, number: int, told: str | None, *, silent: bool = False) -> None:
        super().__init__("Interrupted." if told is None else f"Interrupted; {told}.")
        self.exit_code = 128 + number
        self._silent = silent

    def show(self) -> None:
        """Prints what became of the work."""
        if not self._silent:
            saying(lambda: False)(str(self))


class Terminated(KeyboardInterrupt):
    """SIGTERM, where Python raises KeyboardInterrupt for Ctrl-C."""


def notice_sigterm() -> None:
    """Lets SIGTERM interrupt a command as Ctrl-C does, instead of ending the process without a word."""

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)


def number_of(interruption: BaseException | None) -> int:
    """Returns the signal of an interruption."""
    return signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT


@contextmanager
def telling(told: str) -> Iterator[None]:
    """Says what is true if the block, which is not asynchronous, is interrupted."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise Interrupted(number_of(interruption), told) from None


def interrupts(received: list[int], error: BaseException) -> bool:
    """Returns whether an error is how work ended that a signal has cancelled.

    Libraries may have other errors than CancelledError then; our own say what went wrong with the cleaning up.
    """
    return bool(received) and not isinstance(error, OvasabiError | Interrupted)


def run(
    work: Coroutine[Any, Any, T], told: str | Callable[[], str], gently: Callable[[int], bool] = lambda number: False
) -> T:
    """Runs the work of a command. Ctrl-C or SIGTERM cancels it; another one does not disturb its cleaning up.

    `told` says what is true then; a function is asked after the work has ended. `gently` is called first, and returns
    whether the work ends by itself; it is then cancelled by a second signal only.
    """
    import asyncio  # which takes time to load: help responds at once

    received: list[int] = []

    async def cancellable() -> T:
        task = asyncio.ensure_future(work)

        def interrupt(number: int) -> None:
            received.append(number)
            if len(received) == 1 and gently(number):
                return
            if not task.cancelling():
                task.cancel()

        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
        return await task

    try:
        return asyncio.run(cancellable())
    except (asyncio.CancelledError, Exception) as error:
        if not interrupts(received, error):
            raise
        raise Interrupted(received[0], told if isinstance(told, str) else told()) from None
