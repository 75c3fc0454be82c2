"""How work ends that a signal has cancelled: by an interruption, unless our own error says what went wrong with it."""

import asyncio
import os
import signal

import pytest

from ovasabi.cli.interruption import Interrupted, run
from ovasabi.errors import OvasabiError, StartError

UNCLEAN = StartError(problem="It could not be cleaned up.")


async def ends_with(error: Exception | None, number: int) -> None:
    """Work that a signal interrupts, and that ends in another way than by being cancelled."""
    try:
        os.kill(os.getpid(), number)
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        if error is None:
            raise
        raise error from None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("error", [None, RuntimeError("a connection is in an invalid transaction")])
def test_work_that_was_cancelled_is_interrupted_whatever_error_a_library_has_then(
    error: Exception | None, number: int
) -> None:
    with pytest.raises(Interrupted, match=r"^Interrupted; nothing was changed\.$") as interrupted:
        run(ends_with(error, number), "nothing was changed")
    assert interrupted.value.exit_code == 128 + number


def test_our_own_error_says_what_went_wrong_with_cleaning_up() -> None:
    with pytest.raises(OvasabiError) as raised:
        run(ends_with(UNCLEAN, signal.SIGTERM), "nothing was changed")
    assert raised.value is UNCLEAN


def test_an_error_without_a_signal_is_no_interruption() -> None:
    async def fails() -> None:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        run(fails(), "nothing was changed")


def test_a_second_signal_does_not_disturb_the_cleaning_up() -> None:
    cleaned = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.1)
            cleaned.append(True)

    with pytest.raises(Interrupted) as interrupted:
        run(work(), lambda: "it was cleaned up" if cleaned else "it was not")
    assert (str(interrupted.value), interrupted.value.exit_code) == ("Interrupted; it was cleaned up.", 130)
